// How what serves differs from what git declares: every state of a declared function but ready, with its reason. Pure.

import { formatError } from "../errors.js";
import { type Drift, type FunctionStatus, type Hold, placeOf, type Status, type Suspension } from "../model.js";

type Known = Pick<FunctionStatus, "state" | "source" | "hold" | "suspension" | "trial" | "error">;

/** Undefined where the newest revision serves, and for a function that no source declares. */
export function driftOf(status: Known): Drift | undefined {
  const { state, source } = status;
  if (source === null || state === "ready") return undefined;
  return { reason: state, because: becauseOf(status) };
}

/** Functions that differ from git, by reason. */
export function countDrift(functions: Known[]): Status["drift"] {
  const counts: Status["drift"] = {};
  for (const status of functions) {
    const reason = driftOf(status)?.reason;
    if (reason !== undefined) counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

function becauseOf({ state, hold, suspension, trial, error }: Known): string {
  if (state === "gradual" && trial) {
    return `version ${trial.version.slice(0, 8)} is on trial with ${trial.percentage} % of the traffic`;
  }
  if (state === "suspended" && suspension) return withReason(`suspended by ${suspension.author}`, suspension);
  if (state === "pinned" && hold?.declared) return `declared in ${placeOf(hold.declared.position)}`;
  if ((state === "pinned" || state === "rolled-back") && hold) {
    return withReason(`held at ${hold.version.slice(0, 8)} by ${hold.author}`, hold);
  }
  return error ? formatError(error) : SENTENCES[state];
}

function withReason(sentence: string, { expiresAt, reason }: Pick<Hold | Suspension, "expiresAt" | "reason">): string {
  const until = expiresAt === undefined ? "" : ` until ${new Date(expiresAt).toISOString()}`;
  return `${sentence}${until}${reason === undefined ? "" : `: ${reason}`}`;
}

const SENTENCES: Record<FunctionStatus["state"], string> = {
  ready: "the newest revision serves",
  pending: "no version serves yet",
  pinned: "it is held",
  "rolled-back": "a person went back",
  gradual: "two versions share the traffic",
  failed: "the newest revision failed",
  suspended: "a person suspended it",
  quarantined: "it froze the runtime",
  "name-taken": "another function has the name",
  removed: "it was removed by hand",
};
