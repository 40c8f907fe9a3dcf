// Whom a statement counts for. SQL cannot be interrupted: the process stands still for as long as it takes. So while the
// router traces, it is told who may have sent a statement before that runs, and when it is over: nothing else runs between.
import type { Trace } from "../trace.js";

/** Names a call that came from another process; the number is good for nothing else. */
const CALL = "x-wrkst-d1-call";

export interface Calls {
  /** Where it is told. */
  trace: Trace | undefined;
  /** From now on the function can send statements to the object whenever it likes. */
  give(function_: string, object: string): void;
  /** Whoever can send statements to the one object can send them to the other by it. */
  inherit(from: string, to: string): void;
  /** Sends a call to an object on behalf of a function that does not hold its stub. */
  send(function_: string, object: Fetcher, request: Request): Promise<Response>;
  /** Functions that may have sent the call, ascending. */
  sendersOf(object: string, request: Request): string[];
  /** While an object answers a call, all that it may come from counts as in flight. */
  during<T>(senders: () => string[], answer: () => Promise<T>): Promise<T>;
  /** Runs statements of one of these functions. */
  run<T>(senders: () => string[], statements: () => T): T;
  /** Runs statements of the agent, of which nobody is to be suspected. Told also while the router does not trace. */
  runAgents<T>(statements: () => T): T;
}

export function createCalls(): Calls {
  const holders = new Map<string, Set<string>>();
  const sent = new Map<string, string>();
  const calls: Calls = {
    trace: undefined,
    give(function_, object) {
      const functions = holders.get(object);
      if (functions) functions.add(function_);
      else holders.set(object, new Set([function_]));
    },
    inherit(from, to) {
      for (const function_ of holders.get(from) ?? []) calls.give(function_, to);
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
    sendersOf(object, request) {
      const sender = sent.get(request.headers.get(CALL) ?? "");
      return sender === undefined ? [...(holders.get(object) ?? [])].sort() : [sender];
    },
    during(senders, answer) {
      const { trace } = calls;
      return trace?.isOn ? inFlight(trace, senders(), answer) : answer();
    },
    run(senders, statements) {
      const { trace } = calls;
      return trace?.isOn ? told(trace, senders(), statements) : statements();
    },
    runAgents: (statements) => (calls.trace ? told(calls.trace, [], statements) : statements()),
  };
  return calls;
}

async function inFlight<T>(trace: Trace, senders: string[], answer: () => Promise<T>): Promise<T> {
  for (const name of senders) trace.enter(name);
  try {
    return await answer();
  } finally {
    for (const name of senders) trace.exit(name);
  }
}

function told<T>(trace: Trace, senders: string[], statements: () => T): T {
  trace.statement(senders);
  try {
    return statements();
  } finally {
    trace.statement(null);
  }
}

/** Of this process: objects are made by workerd, which hands them nothing of the router's. */
export const calls = createCalls();
