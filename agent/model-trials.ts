// The words of trials: after a switch a version is watched against the one before it, goes back where it is clearly worse, and
// may get its traffic step by step. Types, limits, defaults and pure functions; model.ts hands them on.

import type { Figures } from "../runtime/wire.js";
import type { TrafficSplit } from "./model-deploys.js";

export type { Figures };

/** `[wrkst] auto_rollback`: how a new version is watched. */
export interface AutoRollback {
  /** To the new version; after so many it has stood its trial. */
  requests: number;
  /** After so many it has, however few requests came. */
  seconds: number;
  /** Percentage points by which its share of failures must surely lie above that of the version before. */
  failures: number;
  /** How many times as long as before it must surely take, for more than a tenth of the requests; 0: time does not count. */
  latency: number;
}

/** `[wrkst] gradual`: how a new version of git gets the traffic. */
export interface Gradual {
  /** Per cent, ascending, all of them less than 100. */
  steps: number[];
  /** To the new version, at each step; then comes the next one. */
  requests: number;
  /** At each step; then comes the next one, however few requests came. */
  seconds: number;
}

export const AUTO_ROLLBACK: AutoRollback = { requests: 500, seconds: 600, failures: 2, latency: 3 };
export const GRADUAL: Gradual = { steps: [5, 25], requests: 100, seconds: 300 };

/** Least and greatest value of each; `latency` may also be 0. */
export const AUTO_ROLLBACK_LIMITS: Record<keyof AutoRollback, { least: number; most: number; isWhole: boolean }> = {
  requests: { least: 20, most: 1_000_000, isWhole: true },
  seconds: { least: 10, most: 86_400, isWhole: true },
  failures: { least: 0, most: 99, isWhole: false },
  latency: { least: 1.5, most: 100, isWhole: false },
};
export const GRADUAL_LIMITS = {
  requests: { least: 1, most: 1_000_000, isWhole: true },
  seconds: { least: 1, most: 86_400, isWhole: true },
  /** How many steps. */
  count: 10,
};

/** Whether they are steps that traffic can take: whole numbers of per cent from 1 to 99, ascending. */
export function areSteps(steps: readonly unknown[]): steps is number[] {
  if (steps.length < 1 || steps.length > GRADUAL_LIMITS.count) return false;
  return steps.every((step, index) => {
    const before = index === 0 ? 0 : (steps[index - 1] as number);
    return Number.isInteger(step) && (step as number) > before && (step as number) < 100;
  });
}

export function isWithin(value: unknown, { least, most, isWhole }: { least: number; most: number; isWhole: boolean }) {
  return typeof value === "number" && value >= least && value <= most && (!isWhole || Number.isInteger(value));
}

/** A version that was switched in and has to stand its trial. Times are milliseconds since 1970. */
export interface Trial {
  version: string;
  /** What served before: what it is compared with, and goes back to. */
  before: string;
  /** Index in the steps of a gradual switch, or their number where the version has all traffic. */
  step: number;
  beganAt: number;
  steppedAt: number;
  /** Figures of the version before, from before the switch; absent where they are not known. */
  baseline?: Figures;
}

/** The part of the traffic that the version has, in per cent. */
export function shareAt(step: number, gradual: Gradual | undefined): number {
  return gradual?.steps[step] ?? 100;
}

/** How the traffic is divided at the trial's step. */
export function splitAt(
  { version, before, step }: Pick<Trial, "version" | "before" | "step">,
  gradual: Gradual | undefined,
): { latest: string; split: TrafficSplit | null } {
  const share = shareAt(step, gradual);
  if (share === 100) return { latest: version, split: null };
  const split = [
    { version: before, percentage: 100 - share },
    { version, percentage: share },
  ];
  return { latest: share > 50 ? version : before, split };
}

/** What is known of a trial while it goes on. */
export interface TrialStatus extends Pick<Trial, "version" | "before" | "beganAt"> {
  /** Of the traffic that the version has now. */
  percentage: number;
  /** Shares still to come, the last one is 100; empty where it has all traffic. */
  steps: number[];
  /** To the version since the trial began, as far as they are known. */
  requests: number;
  failures: number;
  /** What it is compared with; null where nothing is known of the version before. */
  baseline: { requests: number; failures: number } | null;
  /** To the version, until the next step or the end comes. */
  requestsLeft: number;
  /** When it comes at the latest. */
  nextAt: number;
}
