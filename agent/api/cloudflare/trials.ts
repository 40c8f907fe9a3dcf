// `auto_rollback` and `gradual` as an upload brings them: what a wrangler file may say, within the same limits. Pure.

import { z } from "zod";
import { AUTO_ROLLBACK, AUTO_ROLLBACK_LIMITS, areSteps, GRADUAL, GRADUAL_LIMITS } from "../../model.js";

const numberOf = ({ least, most, isWhole }: { least: number; most: number; isWhole: boolean }) =>
  (isWhole ? z.int() : z.number()).min(least).max(most);
const steps = z
  .array(z.number())
  .refine(areSteps, `expected 1 to ${GRADUAL_LIMITS.count} ascending whole numbers from 1 to 99`);

const { requests, seconds, failures, latency } = AUTO_ROLLBACK_LIMITS;
export const autoRollbackSchema = z.union([
  z.boolean().transform((isOn) => isOn && AUTO_ROLLBACK),
  z.strictObject({
    requests: numberOf(requests).default(AUTO_ROLLBACK.requests),
    seconds: numberOf(seconds).default(AUTO_ROLLBACK.seconds),
    failures: numberOf(failures).default(AUTO_ROLLBACK.failures),
    latency: z.union([z.literal(0), numberOf(latency)]).default(AUTO_ROLLBACK.latency),
  }),
]);

export const gradualSchema = z.union([
  z.boolean().transform((isOn) => isOn && GRADUAL),
  steps.transform((taken) => ({ ...GRADUAL, steps: taken })),
  z.strictObject({
    steps: steps.default(GRADUAL.steps),
    requests: numberOf(GRADUAL_LIMITS.requests).default(GRADUAL.requests),
    seconds: numberOf(GRADUAL_LIMITS.seconds).default(GRADUAL.seconds),
  }),
]);
