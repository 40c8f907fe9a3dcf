// `[wrkst] auto_rollback` and `gradual`: how a new version is tried. Pure; what the file leaves out has its default here, so
// that a version is always tried as it says.

import {
  AUTO_ROLLBACK,
  AUTO_ROLLBACK_LIMITS,
  type AutoRollback,
  areSteps,
  GRADUAL,
  GRADUAL_LIMITS,
  type Gradual,
  isWithin,
  type Manifest,
} from "../model.js";
import { isTable } from "./document.js";
import { refuseUnknownMembers } from "./keys.js";
import { fail, formatPath, memberOf, type Setting, type Settings, show } from "./settings.js";

type Limits = (typeof AUTO_ROLLBACK_LIMITS)["requests"];

/** `member` finds a key of `[wrkst]`. Absent where the file wants neither. */
export function readTrials(
  settings: Settings,
  member: (key: string) => Setting | undefined,
): Pick<Manifest, "autoRollback" | "gradual"> {
  const autoRollback = readAutoRollback(settings, member("auto_rollback"));
  const gradual = readGradual(settings, member("gradual"));
  return { ...(autoRollback ? { autoRollback } : {}), ...(gradual ? { gradual } : {}) };
}

function readAutoRollback(settings: Settings, setting: Setting | undefined): AutoRollback | undefined {
  if (setting === undefined || setting.value === false) return undefined;
  if (setting.value === true) return AUTO_ROLLBACK;
  if (!isTable(setting.value)) return failShape(settings, setting, "a boolean or a table such as { requests = 500 }");
  refuseUnknownMembers(settings, setting, Object.keys(AUTO_ROLLBACK));
  const { requests, seconds, failures, latency } = AUTO_ROLLBACK_LIMITS;
  const number = (key: keyof AutoRollback, limits: Limits) =>
    readNumber(settings, memberOf(setting, key), limits) ?? AUTO_ROLLBACK[key];
  return {
    requests: number("requests", requests),
    seconds: number("seconds", seconds),
    failures: number("failures", failures),
    latency: memberOf(setting, "latency")?.value === 0 ? 0 : number("latency", latency),
  };
}

function readGradual(settings: Settings, setting: Setting | undefined): Gradual | undefined {
  if (setting === undefined || setting.value === false) return undefined;
  if (setting.value === true) return GRADUAL;
  if (Array.isArray(setting.value)) return { ...GRADUAL, steps: readSteps(settings, setting) };
  if (!isTable(setting.value)) return failShape(settings, setting, "a boolean, steps such as [5, 25], or a table");
  refuseUnknownMembers(settings, setting, Object.keys(GRADUAL));
  const steps = memberOf(setting, "steps");
  return {
    steps: steps ? readSteps(settings, steps) : GRADUAL.steps,
    requests: readNumber(settings, memberOf(setting, "requests"), GRADUAL_LIMITS.requests) ?? GRADUAL.requests,
    seconds: readNumber(settings, memberOf(setting, "seconds"), GRADUAL_LIMITS.seconds) ?? GRADUAL.seconds,
  };
}

function readSteps(settings: Settings, setting: Setting): number[] {
  if (Array.isArray(setting.value) && areSteps(setting.value)) return setting.value;
  return failShape(settings, setting, `1 to ${GRADUAL_LIMITS.count} ascending whole numbers from 1 to 99`);
}

function readNumber(settings: Settings, setting: Setting | undefined, limits: Limits): number | undefined {
  if (setting === undefined || isWithin(setting.value, limits)) return setting?.value as number | undefined;
  const { least, most, isWhole } = limits;
  return failShape(settings, setting, `a ${isWhole ? "whole " : ""}number from ${least} to ${most}`);
}

function failShape(settings: Settings, { path, value }: Setting, expected: string): never {
  return fail(settings, path, `expected "${formatPath(path)}" to be ${expected}, received ${show(value)}`);
}
