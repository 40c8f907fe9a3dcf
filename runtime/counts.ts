// What functions answered and how fast, counted where every request passes. Invariant: counting a request makes no object, and
// what is kept is bounded: functions beyond MOST are counted as one.
import { ANSWER_BUCKETS, type RuntimeCounts, UNNAMED } from "./wire.js";

const MOST = 1_000;

/** Answers of one function by the first digit of their status, from 1xx to 5xx. */
export type Answers = number[];

export interface Counts {
  /** The same for as long as the function is routed, so that it may be kept. */
  of(function_: string): Answers;
  /** The function answered after so many milliseconds. */
  answered(answers: Answers, status: number, milliseconds: number): void;
  /** It was answered in the function's stead, with a 503. */
  refused(answers: Answers): void;
  /** All since the start of the process. Functions that are not routed any more are forgotten after this. */
  read(isRouted: (function_: string) => boolean): Pick<RuntimeCounts, "functions" | "buckets" | "milliseconds">;
}

export function createCounts(most = MOST): Counts {
  const functions = new Map<string, Answers>();
  const others: Answers = [0, 0, 0, 0, 0];
  const buckets = new Array<number>(ANSWER_BUCKETS.length + 1).fill(0);
  let total = 0;
  return {
    of(function_) {
      const known = functions.get(function_);
      if (known) return known;
      if (functions.size >= most) return others;
      const answers: Answers = [0, 0, 0, 0, 0];
      functions.set(function_, answers);
      return answers;
    },
    answered(answers, status, milliseconds) {
      answers[((status / 100) | 0) - 1]!++;
      total += milliseconds;
      let bucket = 0;
      while (bucket < ANSWER_BUCKETS.length && milliseconds > ANSWER_BUCKETS[bucket]!) bucket++;
      buckets[bucket]!++;
    },
    refused(answers) {
      answers[4]!++;
    },
    read(isRouted) {
      const counted = [...functions, [UNNAMED, others] as const].map(([name, answers]): [string, Answers] => [
        name,
        [...answers],
      ]);
      for (const name of functions.keys()) if (!isRouted(name)) functions.delete(name);
      return {
        functions: Object.fromEntries(counted),
        buckets: [...buckets],
        milliseconds: total,
      };
    },
  };
}
