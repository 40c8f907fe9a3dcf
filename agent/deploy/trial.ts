// What comes next in a trial: back, on, or out of it. Pure.
import { AUTO_ROLLBACK, type Figures, type Manifest, shareAt, type Trial, type TrialStatus } from "../model.js";
import { judge } from "./judge.js";

/** What is known of a trial at one moment. */
export interface Standing {
  trial: Trial;
  /** Of the version that is tried. */
  manifest: Pick<Manifest, "autoRollback" | "gradual">;
  /** Since the trial began. */
  tried: Figures;
  /** Of the version before: since the trial began, and from before that where something is known. */
  before: { since: Figures; recent: Figures | undefined };
  /** Requests to the version since the step began. */
  stepRequests: number;
  /** Milliseconds since 1970. */
  now: number;
}

export type Decision =
  | { kind: "wait" }
  | { kind: "return"; reason: string }
  /** To the step of that index. */
  | { kind: "advance"; step: number }
  | { kind: "pass" };

/** So many requests that the version before got at the same time tell more than those from before the switch. */
const ENOUGH_BESIDE = 50;

export function decideTrial(standing: Standing): Decision {
  const { trial, manifest, tried, now } = standing;
  const reason = judge(baselineOf(standing), tried, manifest.autoRollback ?? AUTO_ROLLBACK);
  if (reason !== undefined) return { kind: "return", reason };
  const { requestsLeft, nextAt } = stageOf(standing);
  if (requestsLeft > 0 && now < nextAt) return { kind: "wait" };
  return isAll(trial, manifest) ? { kind: "pass" } : { kind: "advance", step: trial.step + 1 };
}

export function statusOfTrial(standing: Standing): TrialStatus {
  const { trial, manifest, tried } = standing;
  const { version, before, beganAt, step } = trial;
  const baseline = baselineOf(standing);
  return {
    ...{ version, before, beganAt },
    percentage: shareAt(step, manifest.gradual),
    steps: isAll(trial, manifest) ? [] : [...manifest.gradual!.steps.slice(step + 1), 100],
    ...{ requests: tried.requests, failures: tried.failures },
    baseline: baseline && { requests: baseline.requests, failures: baseline.failures },
    ...stageOf(standing),
  };
}

function isAll({ step }: Trial, { gradual }: Standing["manifest"]): boolean {
  return gradual === undefined || step >= gradual.steps.length;
}

/** A last stage without a watch of its own is over at once. */
function stageOf({ trial, manifest, stepRequests }: Standing): Pick<TrialStatus, "requestsLeft" | "nextAt"> {
  const stage = isAll(trial, manifest) ? manifest.autoRollback : manifest.gradual;
  const { requests = 0, seconds = 0 } = stage ?? {};
  return { requestsLeft: Math.max(0, requests - stepRequests), nextAt: trial.steppedAt + seconds * 1_000 };
}

/** Null where nothing is known. */
function baselineOf({ before: { since, recent } }: Standing): Figures | null {
  if (since.requests >= ENOUGH_BESIDE || recent === undefined) return since.requests > 0 ? since : null;
  const both = addFigures(since, recent);
  return both.requests > 0 ? both : null;
}

export function addFigures(a: Figures, b: Figures): Figures {
  const length = Math.max(a.buckets.length, b.buckets.length);
  return {
    requests: a.requests + b.requests,
    failures: a.failures + b.failures,
    buckets: Array.from({ length }, (_, index) => (a.buckets[index] ?? 0) + (b.buckets[index] ?? 0)),
  };
}
