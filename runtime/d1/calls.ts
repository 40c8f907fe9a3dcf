// Whom a statement counts for. SQL cannot be interrupted: the process stands still for as long as it takes. So while the
// router traces, it is told who may have sent a statement before that runs, and when it is over: nothing else runs between.
import type { Trace } from "../trace.js";
import { isPrivileged } from "./key.js";

/** Names a call that came from another process; the number is good for nothing else. */
const CALL = "x-wrkst-d1-call";

const NOBODY: string[] = [];

export interface Calls {
  /** Where it is told. */
  trace: Trace | undefined;
  /** From now on the function can send statements to the object whenever it likes. */
  give(function_: string, object: string): void;
  /** Sends a call to an object on behalf of a function that does not hold its stub. */
  send(function_: string, object: Fetcher, request: Request): Promise<Response>;
  /**
   * Answers a call to an object. While the router traces, all functions that may have sent it count as in flight until then;
   * `handle` is given them, ascending, and otherwise nobody.
   */
  answer<T>(
    call: { object: string | undefined; request: Request },
    handle: (senders: string[]) => Promise<T>,
  ): Promise<T>;
  /** Runs statements; nobody is to be suspected of those without a sender. */
  run<T>(senders: string[], statements: () => T): T;
}

export function createCalls(): Calls {
  const holders = new Map<string, Set<string>>();
  const sent = new Map<string, string>();

  /** The agent's statements are nobody's, whatever they do to the process. */
  function sendersOf(object: string, request: Request): string[] {
    if (isPrivileged(request)) return NOBODY;
    const sender = sent.get(request.headers.get(CALL) ?? "");
    return sender === undefined ? [...(holders.get(object) ?? [])].sort() : [sender];
  }

  const calls: Calls = {
    trace: undefined,
    give(function_, object) {
      const functions = holders.get(object);
      if (functions) functions.add(function_);
      else holders.set(object, new Set([function_]));
    },
    async send(function_, object, request) {
      const id = crypto.randomUUID();
      const call = new Request(request);
      call.headers.set(CALL, id);
      sent.set(id, function_);
      calls.trace?.enter(function_);
      try {
        return await object.fetch(call);
      } finally {
        calls.trace?.exit(function_);
        sent.delete(id);
      }
    },
    answer({ object, request }, handle) {
      const { trace } = calls;
      return trace?.isOn ? answerTraced(trace, sendersOf(object ?? "", request), handle) : handle(NOBODY);
    },
    run(senders, statements) {
      const { trace } = calls;
      if (!trace?.isOn) return statements();
      trace.statement(senders);
      try {
        return statements();
      } finally {
        trace.statement(null);
      }
    },
  };
  return calls;
}

async function answerTraced<T>(trace: Trace, senders: string[], handle: (senders: string[]) => Promise<T>): Promise<T> {
  for (const name of senders) trace.enter(name);
  try {
    return await handle(senders);
  } finally {
    for (const name of senders) trace.exit(name);
  }
}

/** Of this process: objects are made by workerd, which hands them nothing of the router's. */
export const calls = createCalls();
