// A limit on how much of one kind of work is under way at a time. First come, first served; a failure frees its place too.

/** At most `limit` calls of the function at a time; further ones wait for their turn. */
export function inTurns<T, R>(limit: number, work: (input: T) => Promise<R>): (input: T) => Promise<R> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (input) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work(input);
    } finally {
      // The place goes to the next one directly, so that nobody who comes meanwhile gets it.
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
