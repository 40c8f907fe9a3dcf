// Small pieces of control flow that passes need: a limit on work at a time, and the time that each phase took. Pure.
import type { Phase } from "../model.js";

/** Maps with at most `limit` calls under way; results in order. The first rejection rejects, and no new call begins. */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  call: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  async function work(): Promise<void> {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await call(items[index] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  return results;
}

export interface Clock {
  measure<T>(phase: Phase, work: () => T | Promise<T>): Promise<T>;
  stop(): { phases: Partial<Record<Phase, number>>; milliseconds: number };
}

export function startClock(now: () => number): Clock {
  const phases: Partial<Record<Phase, number>> = {};
  const start = now();
  return {
    async measure(phase, work) {
      const begin = now();
      try {
        return await work();
      } finally {
        phases[phase] = (phases[phase] ?? 0) + now() - begin;
      }
    },
    stop: () => ({ phases, milliseconds: now() - start }),
  };
}
