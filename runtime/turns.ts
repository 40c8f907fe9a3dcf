// A limit on how much of one kind of work is under way at a time. First come, first served; a failure frees its place too.

/** Milliseconds in which some work begins: otherwise those who have the turns are gone, and the first in the queue goes on. */
const STUCK = 10_000;

/** At most `limit` calls of the function at a time; further ones wait for their turn. */
export function inTurns<T, R>(limit: number, work: (input: T) => Promise<R>, stuck = STUCK): (input: T) => Promise<R> {
  const waiting: (() => void)[] = [];
  let free = limit;
  let lastBegin = 0;

  /**
   * The turn comes from another request's context, which may be gone for ever; and a request without anything of its own
   * to wait for is taken for hung and cancelled by workerd. So each wait has a timer of its own.
   */
  async function turn(): Promise<void> {
    let hasTurn = false;
    let take = () => {};
    const given = new Promise<void>((resolve) => {
      take = () => {
        hasTurn = true;
        resolve();
      };
    });
    waiting.push(take);
    const isStuck = () => waiting[0] === take && Date.now() - lastBegin >= stuck;
    while (!hasTurn && !isStuck()) await before(given, stuck / 10);
    if (!hasTurn) waiting.shift();
  }

  return async (input) => {
    if (free > 0) free--;
    else await turn();
    lastBegin = Date.now();
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

/** Settles with the promise, or after so many milliseconds. */
function before(promise: Promise<void>, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    void promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
