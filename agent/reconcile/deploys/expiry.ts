// Looks after holds that end by time: one timer, for the earliest of them. Decides nothing itself.
import { reportOf } from "../../errors.js";

/** As the agent's log has it. */
interface Log {
  warn(fields: object, message: string): void;
}

export interface Expiry {
  /** Holds may have changed, or their time may be over: look, soon. */
  look(): void;
  close(): Promise<void>;
}

/** A timer of Node cannot be set further ahead; and a clock that is put forward is noticed. */
const LONGEST_WAIT = 3_600_000;
const AFTER_FAILURE = 10_000;

/** `release` ends what is over and answers when the next hold ends, in milliseconds since 1970. */
export function createExpiry(
  release: () => Promise<number | undefined>,
  log: Log,
  now: () => number = Date.now,
): Expiry {
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  let isWanted = false;
  let isClosed = false;

  function look(): void {
    isWanted = true;
    if (!isClosed) working ??= work();
  }

  async function work(): Promise<void> {
    clearTimeout(timer);
    let wait: number | undefined;
    // A hold that is made in a turn of its function must not wait for the turn of what is released here, nor the other way round.
    await Promise.resolve();
    while (isWanted && !isClosed) {
      isWanted = false;
      try {
        const next = await release();
        wait = next === undefined ? undefined : Math.min(Math.max(next - now(), 0), LONGEST_WAIT);
      } catch (error) {
        log.warn({ err: reportOf(error) }, "a hold could not be ended");
        wait = AFTER_FAILURE;
      }
    }
    // Nothing is awaited between the last look at what is wanted and this: who comes now begins anew.
    working = undefined;
    if (wait === undefined || isClosed) return;
    timer = setTimeout(look, wait);
    timer.unref();
  }

  return {
    look,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await working;
    },
  };
}
