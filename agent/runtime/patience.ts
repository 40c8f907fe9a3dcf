// Waiting with an end. Leaves no timer behind.
import { setTimeout as delay } from "node:timers/promises";

/** The outcome of `work`, or, after `limit` milliseconds, the error that `late` makes. */
export async function within<T>(work: Promise<T>, limit: number, late: () => Error): Promise<T> {
  const timer = new AbortController();
  const tooLate = delay(limit, undefined, { signal: timer.signal }).then(() => Promise.reject(late()));
  tooLate.catch(() => {});
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    timer.abort();
  }
}

/** Resolves after the milliseconds, or at once when the signal aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}

/** Whether the work was done within so many milliseconds. */
export async function isSettled(work: Promise<unknown>, limit: number): Promise<boolean> {
  return within(work, limit, () => new Error("too late")).then(
    () => true,
    () => false,
  );
}
