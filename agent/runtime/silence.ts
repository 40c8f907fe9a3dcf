// Tells a runtime that hangs from an agent that was itself late: silence is counted in ticks, not by the clock. Pure.

export interface Silence {
  /** The runtime answered. */
  answered(): void;
  /** One tick went by, `elapsed` milliseconds after the one before. True: it has been silent for the whole limit. */
  tick(elapsed: number): boolean;
}

/**
 * A tick that comes late (suspended machine, busy event loop) counts as one interval: the answer may lie unread in our
 * own socket. So only a runtime that stays silent over as many of our turns as the limit has intervals is taken to hang.
 * `patience` is the limit where it is the longer one: asked at every tick.
 */
export function createSilence(options: { interval: number; limit: number; patience?(): number }): Silence {
  let silent = 0;
  return {
    answered() {
      silent = 0;
    },
    tick(elapsed) {
      silent += Math.min(elapsed, options.interval);
      return silent >= Math.max(options.limit, options.patience?.() ?? 0);
    },
  };
}
