// What every row is given and answers.
import type { Finding } from "../report.js";
import type { Scope } from "../scope.js";
import { ratios, type Summary, summarize } from "../statistics.js";

export interface Row {
  name: string;
  /** One line for `--help`. */
  about: string;
  run(context: RowContext): Promise<Finding[]>;
}

export interface RowContext {
  scope: Scope;
  /** How many times both sides are measured, alternating. */
  rounds: number;
  /** Tells the person who waits. */
  say(line: string): void;
}

/** The peer's side of a finding, with the ratio of each round. */
export function against(name: string, ours: number[], theirs: number[]) {
  return { name, theirs: summarize(theirs), ratio: summarize(ratios(ours, theirs)) };
}

/** A target for the median: at most so much. */
export function atMost(summary: Summary, limit: number, unit: string) {
  return { text: `≤ ${limit.toLocaleString("en")} ${unit}`, met: summary.median <= limit };
}

/** Medians by key; a key that a sample lacks counts as 0. */
export function medians(samples: Partial<Record<string, number>>[]): Record<string, number> {
  const keys = [...new Set(samples.flatMap((sample) => Object.keys(sample)))];
  return Object.fromEntries(keys.map((key) => [key, summarize(samples.map((sample) => sample[key] ?? 0)).median]));
}
