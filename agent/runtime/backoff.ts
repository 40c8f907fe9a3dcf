// How long to wait before the runtime is started again. Pure.

const FIRST = 100;
const LONGEST = 10_000;
/** Having served for so long, the next failure counts as the first. */
export const SERVED_WELL = 60_000;

/** Milliseconds to wait after the `failures`-th failure in a row, counted from 1. */
export function backoff(failures: number): number {
  return Math.min(LONGEST, FIRST * 2 ** (failures - 1));
}
