// What to do about the runtime's memory: unload functions first, replace the process when that did not help. Pure.

export type MemoryStep = "none" | "evict" | "replace";

export interface MemoryGuard {
  /** To be called regularly; each step is named once per excess. */
  next(residentBytes: number, now: number): MemoryStep;
}

/** `patience`: milliseconds that unloading has to show an effect. */
export function createMemoryGuard(options: { limit: number; patience: number }): MemoryGuard {
  let evictedAt: number | undefined;
  return {
    next(residentBytes, now) {
      if (residentBytes <= options.limit) {
        evictedAt = undefined;
        return "none";
      }
      if (evictedAt === undefined) {
        evictedAt = now;
        return "evict";
      }
      return now - evictedAt >= options.patience ? "replace" : "none";
    },
  };
}
