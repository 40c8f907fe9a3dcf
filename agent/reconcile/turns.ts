// Who changes a function waits for who changes it already; what must see nobody at work waits for all. First come, first served.

export interface Turns {
  /** One at a time for each name. */
  of<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Alone: after all that has begun, and before all that comes later. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  let barrier: Promise<unknown> = Promise.resolve();
  const after = <T>(before: Promise<unknown>[], work: () => Promise<T>) => Promise.allSettled(before).then(work);
  return {
    of(name, work) {
      const turn = after([barrier, last.get(name) ?? Promise.resolve()], work);
      last.set(name, turn);
      const forget = () => {
        if (last.get(name) === turn) last.delete(name);
      };
      turn.then(forget, forget);
      return turn;
    },
    alone(work) {
      const turn = after([barrier, ...last.values()], work);
      barrier = turn.catch(() => undefined);
      return turn;
    },
  };
}
