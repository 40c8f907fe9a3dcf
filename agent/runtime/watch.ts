// The watchdog's clockwork: asks the runtime at every tick, one question at a time, and calls when it stays silent.
import { createSilence } from "./silence.js";

export interface Watch {
  start(): void;
  /** The runtime has answered something else than a ping. */
  answered(): void;
  stop(): void;
}

export interface WatchOptions {
  /** Milliseconds between two ticks. */
  interval: number;
  /** Milliseconds of silence after which `onSilent` is called, once. */
  limit: number;
  /** Milliseconds that are the limit for now, where they are more. */
  patience?(): number;
  ping(): Promise<void>;
  onSilent(): void;
  onTick?(): void;
}

export function createWatch(options: WatchOptions): Watch {
  const silence = createSilence(options);
  let timer: NodeJS.Timeout | undefined;
  let isAsking = false;
  let lastTick = 0;

  const ask = async () => {
    isAsking = true;
    // A refused question is no answer either; the next tick asks again.
    await options.ping().then(silence.answered, () => {});
    isAsking = false;
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
  };
  const tick = () => {
    const elapsed = performance.now() - lastTick;
    lastTick += elapsed;
    if (silence.tick(elapsed)) {
      stop();
      options.onSilent();
      return;
    }
    options.onTick?.();
    if (!isAsking) void ask();
  };
  return {
    answered: silence.answered,
    start() {
      lastTick = performance.now();
      timer = setInterval(tick, options.interval);
      void ask();
    },
    stop,
  };
}
