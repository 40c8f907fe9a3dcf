// Checks what comes with a request: names in the path, and the query. Pure.

import { z } from "zod";
import { WrkstError } from "../errors.js";
import { FUNCTION_STATES, isFunctionName } from "../model.js";

const flag = z
  .enum(["", "true", "false"])
  .default("false")
  .transform((raw) => raw !== "false");
const name = z.string().refine(isFunctionName, "expected a name");
const count = (most: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,5}$/, "expected a number above zero")
    .transform(Number)
    .pipe(z.number().max(most, `expected at most ${most}`));
const eventId = z
  .string()
  .regex(/^\d{1,15}$/, "expected the id of an event")
  .transform(Number);

/** Queries of the routes; anything else in a query is refused, so that a misspelled one is not ignored. */
export const QUERY = {
  none: z.strictObject({}),
  wait: z.strictObject({ wait: flag }),
  sync: z.strictObject({ wait: flag, prune: flag }),
  functions: z.strictObject({
    source: name.optional(),
    state: z.enum(FUNCTION_STATES).optional(),
    after: name.optional(),
    limit: count(5000).default(1000),
  }),
  events: z.strictObject({
    after: eventId.optional(),
    before: eventId.optional(),
    limit: count(1000).default(100),
    kind: z
      .string()
      .regex(/^[a-z-]{1,40}(?:\.[a-z-]{1,40})?$/, "expected a kind such as source.synced")
      .optional(),
    function: name.optional(),
  }),
};

/** @throws WrkstError ERR_INVALID */
export function parseQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.length ? `"${issue.path.join(".")}": ` : "";
  throw new WrkstError("ERR_INVALID", `query: ${where}${issue?.message ?? "cannot be read"}`);
}

/** A function's or a source's name. @throws WrkstError ERR_INVALID */
export function parseName(raw: unknown): string {
  if (typeof raw === "string" && isFunctionName(raw)) return raw;
  throw new WrkstError("ERR_INVALID", `expected a name of lower case letters, digits and "-", received "${raw}"`);
}

/** Only those that have a value, as optional properties want it. */
export function present<T extends Record<string, unknown>>(values: T) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
