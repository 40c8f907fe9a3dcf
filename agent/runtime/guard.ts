// Tells when a process that works for us takes too long, while it works. Ends nothing itself.
import { cpuMilliseconds } from "./identity.js";
import { createSilence } from "./silence.js";

const TICK = 50;
/** Work alone that does not use the CPU (it waits, or the machine is busy) may take so many times the limit. */
const WALL_FACTOR = 4;

/** Ticks while work is in flight. */
export function createGuard(options: { isLate: LateCounter; onTick(isLate: boolean): void }) {
  let timer: NodeJS.Timeout | undefined;
  let lastTick = 0;
  return {
    answered: options.isLate.reset,
    start() {
      lastTick = performance.now();
      options.isLate.reset();
      timer = setInterval(() => {
        const elapsed = performance.now() - lastTick;
        lastTick += elapsed;
        options.onTick(options.isLate.tick(elapsed));
      }, TICK);
    },
    stop: () => clearInterval(timer),
  };
}

export interface LateCounter {
  reset(): void;
  /** Whether the limit is reached. */
  tick(elapsed: number): boolean;
}

/** With several in flight: late is a process that gave no answer to anybody for the whole limit. */
export function lateTogether(limit: number): LateCounter {
  const silence = createSilence({ interval: TICK, limit });
  return { reset: silence.answered, tick: silence.tick };
}

/** With one alone: late is one that used the CPU for the whole limit, or took much longer in all. */
export function lateAlone(pid: number, limit: number): LateCounter {
  const isCpuKnown = cpuMilliseconds(pid) !== undefined;
  const silence = createSilence({ interval: TICK, limit: isCpuKnown ? limit * WALL_FACTOR : limit });
  let before = 0;
  return {
    reset() {
      silence.answered();
      before = cpuMilliseconds(pid) ?? 0;
    },
    tick: (elapsed) => silence.tick(elapsed) || (cpuMilliseconds(pid) ?? 0) - before >= limit,
  };
}
