// Lets a limited number of works through at a time, in the order they came. Pure but for the works.

export interface Gate {
  /** Runs the work when its turn has come; throws the signal's reason when that aborts before. */
  pass<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export function createGate(width: number): Gate {
  const queue: (() => void)[] = [];
  let inside = 0;
  return {
    async pass(signal, work) {
      if (inside < width) inside++;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        signal.throwIfAborted();
        return await work();
      } finally {
        const next = queue.shift();
        if (next) next();
        else inside--;
      }
    },
  };
}
