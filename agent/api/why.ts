// Why a function or a source is as it is: what happened last, what was decided, by which rule, what comes next. Pure.

import { behaviourOf, type ErrorReport } from "../errors.js";
import {
  EVERY_ALIAS,
  type Explanation,
  type FunctionStatus,
  type Hold,
  PLATFORM_NAME,
  type PlatformEvent,
  placeOf,
  type SourceExplanation,
  type SourceHistory,
  type SourceStatus,
  type TrialStatus,
} from "../model.js";
import type { FunctionDetail } from "./platform.js";

export interface Known {
  function: FunctionDetail;
  holds: Hold[];
  lastEvent: PlatformEvent | undefined;
  /** Of its source. */
  history?: SourceHistory;
}

export function explain({ function: found, holds, lastEvent, history = {} }: Known): Explanation {
  const { name, state, version, revision, declared, databases, error } = found;
  return {
    ...{ name, state, version, revision, holds },
    ...reasonOf(found, holds, history),
    lastEvent: lastEvent ?? null,
    lastDeployment: found.deployments[0] ?? null,
    ...(declared === undefined ? {} : { declared }),
    ...(found.trial ? { trial: found.trial } : {}),
    ...(history.pass ? { pass: history.pass } : {}),
    ...(databases ? { databases } : {}),
    ...(error ? { error } : {}),
  };
}

/** Whatever is named: a source that follows a repository, with its functions. */
export function explainSource(
  source: SourceStatus,
  { functions, history }: { functions: FunctionStatus[]; history: SourceHistory },
): SourceExplanation {
  const { name, state, revision, lastFetch, error } = source;
  const { pass, lastEvent = null } = history;
  const drifting = functions.flatMap(({ name, drift }) => (drift ? [{ name, drift }] : []));
  return {
    ...{ name, state, revision, lastFetch },
    ...reasonOfSource(source, drifting.length, history),
    lastEvent,
    ...(pass ? { pass } : {}),
    drift: drifting,
    ...(error ? { error } : {}),
  };
}

type Reason = Pick<Explanation, "decision" | "rule" | "next" | "nextAt">;

function reasonOfSource({ name, state, error }: SourceStatus, drifting: number, history: SourceHistory): Reason {
  const { suspension } = history;
  if (suspension || state === "suspended") {
    const by = suspension ? because(suspension) : "";
    const said = reason(`nothing of it moves${by}`, "a person suspended it", `resume it: wrkst source resume ${name}`);
    return at(said, suspension?.expiresAt);
  }
  if (error) return reasonOfFailure(error, name, history);
  switch (state) {
    case "empty":
      return reason("nothing is declared yet", "the followed branch decides", "push to it");
    case "pending":
      return reason("the first pass is not done", "what the repository shows decides", "wait for the pass");
    default:
      if (drifting === 0) return reasonOfCurrent(history);
      return reason("some functions differ from git", "each function has its own reason", "see: wrkst why <function>");
  }
}

/** All is as git declares: a poll, if there is one, is what comes next. */
function reasonOfCurrent({ looksAt }: SourceHistory): Reason {
  const next = looksAt === undefined ? "nothing to do" : "nothing to do; the repository is looked at again by itself";
  return at(reason("the newest revision serves", "what serves is what git declares", next), looksAt);
}

function reasonOfFailure(error: ErrorReport, source: string, { retryAt, looksAt }: SourceHistory): Reason {
  return at(sentencesOfFailure(error, source), retryAt ?? looksAt);
}

function sentencesOfFailure({ code, hint }: ErrorReport, source: string): Reason {
  const decision = "what served before goes on serving";
  const rule = "an outage or a refusal is never read as a removal";
  if (code === "ERR_PRUNE_LIMIT") {
    return reason(
      decision,
      "so many removals in one pass need a person's word",
      hint ?? `wrkst sync ${source} --prune --wait`,
    );
  }
  if (code === "ERR_GIT_UNVERIFIED") {
    return reason(decision, "only what a key of the policy signed is deployed", hint ?? "sign it and push");
  }
  if (behaviourOf(code).retry === "backoff") return reason(decision, rule, "it is tried again by itself");
  return reason(decision, rule, hint ?? "mend it and push");
}

function reasonOf(found: FunctionDetail, holds: Hold[], history: SourceHistory): Reason {
  const { retryAt } = history;
  const on = (alias: string) => holds.find((hold) => hold.alias === alias);
  const hold = found.state === "suspended" ? on(EVERY_ALIAS) : on("latest");
  if (found.trial && (found.state === "ready" || found.state === "gradual")) return reasonOfTrial(found, found.trial);
  if (found.state === "ready" && found.source !== null) return reasonOfReady(found.source, history);
  const said = sentencesOf(found, hold);
  const isRetried = found.error !== undefined && behaviourOf(found.error.code).retry === "backoff";
  if (found.state === "failed" && isRetried && retryAt !== undefined) {
    return { ...said, next: "it is tried again by itself", nextAt: retryAt };
  }
  return at(said, hold?.expiresAt);
}

/** The function is well; whether it is what git shows now depends on its source. */
function reasonOfReady(source: string, history: SourceHistory): Reason {
  const { suspension, error } = history;
  if (suspension) {
    const rule = `its source "${source}" is suspended${because(suspension)}`;
    const said = reason("what served before goes on serving", rule, `resume it: wrkst source resume ${source}`);
    return at(said, suspension.expiresAt);
  }
  if (!error) return reasonOfCurrent(history);
  const said = reasonOfFailure(error, source, history);
  return { ...said, rule: `the source "${source}" failed (${error.message}), and ${said.rule}` };
}

/** The figures so far, and what they lead to. */
function reasonOfTrial({ name }: FunctionDetail, trial: TrialStatus): Reason {
  const { version, percentage, steps, requests, failures, baseline, requestsLeft, nextAt } = trial;
  const before = baseline
    ? `${baseline.failures} of ${baseline.requests} before`
    : "nothing is known of the one before";
  const share = percentage === 100 ? "all" : `${percentage} %`;
  const what = `version ${version.slice(0, 8)} is on trial with ${share} of the traffic`;
  const [step] = steps;
  const goal = step === undefined ? "the trial is over" : `${step} % of the traffic`;
  return {
    decision: `${what}: ${failures} of ${requests} requests failed, ${before}`,
    rule: "a version that is clearly worse than the one before it goes back by itself",
    next: `${goal} after ${requestsLeft} more requests, or in time; at once: wrkst promote ${name}`,
    nextAt,
  };
}

function sentencesOf(found: FunctionDetail, hold: Hold | undefined): Reason {
  const { name } = found;
  switch (found.state) {
    case "ready":
      return reason("the version that was deployed last serves", "no source declares the function", "nothing to do");
    case "pending":
      return reason("a version is on its way", "a version must load before it can serve", "wait for the pass");
    case "pinned":
      if (hold?.declared) return reasonOfDeclared(hold.declared);
      return reason(`a person holds it${because(hold)}`, "a pin wins over git", `release it: wrkst unpin ${name}`);
    case "rolled-back":
      return reason(
        hold?.author === PLATFORM_NAME
          ? `it went back by itself${hold.reason === undefined ? "" : `: ${hold.reason}`}`
          : `a person went back${because(hold)}`,
        "a rollback lasts until git brings another version than the rejected one",
        `push a mended version, or release it: wrkst unpin ${name}`,
      );
    case "gradual":
      return reason("two versions share the traffic", "a deployment divided it", "deploy one of them at 100 %");
    case "failed":
      if (found.version === null)
        return reason("nothing serves yet", "a version must load before it can serve", "mend it and push");
      return reason("the last good version goes on serving", "a broken push takes nothing down", "mend it and push");
    case "suspended":
      return reason(
        `${hold?.offline ? "requests are refused, and " : ""}nothing moves${because(hold)}`,
        "a person suspended it, and what git brings waits",
        `resume it: wrkst resume ${name}`,
      );
    case "quarantined":
      return reason(
        "requests are refused",
        "a version that hangs the runtime is taken out of service",
        `push a new version, or release it: wrkst resume ${name}`,
      );
    case "name-taken":
      return reason("another function has the name", "names are global, the first one keeps it", "choose another name");
    case "removed":
      return reason("nothing serves", "it was removed", `bring it back: wrkst restore ${name}`);
  }
}

function reasonOfDeclared({ ref, position }: NonNullable<Hold["declared"]>): Reason {
  return reason(
    `the repository pins it at "${ref}", in ${placeOf(position)}`,
    "a pin in the repository wins over newer revisions, and a person's hold over it",
    "take the line out and push",
  );
}

function because(hold: Pick<Hold, "author" | "reason"> | undefined): string {
  if (!hold) return "";
  return hold.reason === undefined ? `, by ${hold.author}` : `, by ${hold.author}: ${hold.reason}`;
}

function reason(decision: string, rule: string, next: string): Reason {
  return { decision, rule, next };
}

function at(said: Reason, nextAt: number | undefined): Reason {
  return nextAt === undefined ? said : { ...said, nextAt };
}
