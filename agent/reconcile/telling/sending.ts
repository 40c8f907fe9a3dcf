// Sends what waits in the registry, beside everything else. Invariant: nobody waits for it; of one lane one thing is under way at
// a time, a few in all, and what was not taken stays in the registry until it is, or is given up.

import { reportOf } from "../../errors.js";
import { LONGEST_TRIED, MOST_ATTEMPTS, type Outcome, outcomeOfError, waitAfter } from "../../notify/index.js";

/** One thing that is to be told to one receiver. */
export interface Message {
  /** Of equal lanes one is under way at a time. */
  lane: string;
  /** For the metrics; of a closed list. */
  kind: string;
  /** Made before this one. */
  attempts: number;
  /** When it was to be told first, milliseconds since 1970. */
  at: number;
  /** Notes that an attempt is made. */
  begin(): void;
  send(signal: AbortSignal): Promise<Outcome>;
  again(at: number, message: string): void;
  /** It was taken, or never will be for that reason. */
  end(problem?: string): void;
}

export interface Outbox {
  /** What may be sent at that time, at most one of each lane. */
  due(now: number): Message[];
  nextAt(now: number): number | undefined;
}

export interface SendingDeps {
  outboxes: Outbox[];
  count(kind: string, result: "sent" | "again" | "refused" | "given-up" | "dropped", times?: number): void;
  log: { warn(fields: object, message: string): void };
  now(): number;
  random?: () => number;
  setTimer?: (milliseconds: number, fire: () => void) => { cancel(): void };
}

export interface Sending {
  /** Something new waits. Cheap, at any time. */
  wake(): void;
  /** Settles when nothing is under way; what waits for its time waits on. */
  calm(): Promise<void>;
  close(): Promise<void>;
}

const AT_ONCE = 4;
/** Milliseconds of rest after the registry has failed. */
const REST = 30_000;
const LONGEST_TIMER = 3_600_000;

export function createSending(deps: SendingDeps): Sending {
  const { outboxes, log, now, random = Math.random, setTimer = startTimer } = deps;
  const busy = new Map<string, Promise<void>>();
  const closing = new AbortController();
  let timer: { cancel(): void } | undefined;
  let isWoken = false;

  function wake(): void {
    if (isWoken || closing.signal.aborted) return;
    isWoken = true;
    // After what is being recorded now.
    setImmediate(look);
  }

  function look(): void {
    isWoken = false;
    if (closing.signal.aborted) return;
    try {
      const time = now();
      for (const message of outboxes.flatMap((outbox) => outbox.due(time))) {
        if (busy.size < AT_ONCE && !busy.has(message.lane)) start(message);
      }
      const next = outboxes.flatMap((outbox) => outbox.nextAt(time) ?? []);
      plan(next.length ? Math.min(LONGEST_TIMER, Math.max(0, Math.min(...next) - time)) : undefined);
    } catch (error) {
      log.warn({ err: reportOf(error) }, "what is to be told cannot be read");
      plan(REST);
    }
  }

  function plan(milliseconds: number | undefined): void {
    timer?.cancel();
    timer = milliseconds === undefined ? undefined : setTimer(milliseconds, look);
  }

  function start(message: Message): void {
    message.begin();
    const work = deliver(message).then((isNoted) => {
      busy.delete(message.lane);
      if (isNoted) wake();
      else plan(REST);
    });
    busy.set(message.lane, work);
  }

  /** Answers whether what came of it could be noted. */
  async function deliver(message: Message): Promise<boolean> {
    const outcome = await message.send(closing.signal).catch(outcomeOfError);
    // Cut off by the end of the agent: it is sent again after the next start.
    if (closing.signal.aborted && outcome.kind !== "sent") return true;
    try {
      settle(message, outcome);
      return true;
    } catch (error) {
      log.warn({ err: reportOf(error) }, "what was told cannot be noted");
      return false;
    }
  }

  function settle(message: Message, outcome: Outcome): void {
    if (outcome.kind === "again") tryAgain(message, outcome);
    else {
      message.end(outcome.kind === "refused" ? outcome.message : undefined);
      deps.count(message.kind, outcome.kind);
    }
  }

  function tryAgain(message: Message, outcome: Outcome & { kind: "again" }): void {
    const attempts = message.attempts + 1;
    const time = now();
    const at = time + waitAfter(attempts, random(), outcome.after);
    const isOver = attempts >= MOST_ATTEMPTS || at - message.at > LONGEST_TRIED;
    if (isOver) message.end(`given up after ${attempts} attempts: ${outcome.message}`);
    else message.again(at, outcome.message);
    deps.count(message.kind, isOver ? "given-up" : "again");
  }

  return {
    wake,
    async calm() {
      while (isWoken || busy.size) {
        await Promise.all(busy.values());
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async close() {
      closing.abort(new Error("the agent is stopping"));
      timer?.cancel();
      await Promise.all(busy.values());
    },
  };
}

function startTimer(milliseconds: number, fire: () => void): { cancel(): void } {
  const timer = setTimeout(fire, milliseconds);
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
}
