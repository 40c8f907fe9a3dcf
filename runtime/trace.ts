// Tells on stdout, before it happens, which function is about to run, and afterwards that nothing of it runs any more: when
// the process freezes, the agent knows from these lines whom to suspect.
import { traceLine } from "./log.js";

export interface Trace {
  /** Secret of this process, unknown until the agent has said it. */
  key: string | undefined;
  /** Whether what functions do is told. */
  isOn: boolean;
  enter(function_: string): void;
  exit(function_: string): void;
  /** Statements of one of these functions, or with none of the agent, are about to run; null: they are over. */
  statement(senders: string[] | null): void;
}

/** With a key, it is on. */
export function createTrace(key: string | undefined): Trace {
  const trace: Trace = {
    key,
    isOn: key !== undefined,
    enter(function_) {
      if (trace.isOn && trace.key !== undefined) traceLine({ key: trace.key, enter: function_ });
    },
    exit(function_) {
      if (trace.isOn && trace.key !== undefined) traceLine({ key: trace.key, exit: function_ });
    },
    statement(senders) {
      if (trace.key !== undefined) traceLine({ key: trace.key, statement: senders });
    },
  };
  return trace;
}
