// Tells on stdout, before it happens, which function is about to run, and afterwards that nothing of it runs any more: when
// the process freezes, the agent knows from these lines whom to suspect.
import { traceLine } from "./log.js";

export interface Trace {
  /** Undefined: nothing is told. */
  key: string | undefined;
  readonly isOn: boolean;
  enter(function_: string): void;
  exit(function_: string): void;
  /** Statements of one of these functions are about to run, or with null, are over. */
  statement(senders: string[] | null): void;
}

export function createTrace(key: string | undefined): Trace {
  const trace: Trace = {
    key,
    get isOn() {
      return trace.key !== undefined;
    },
    enter(function_) {
      if (trace.key !== undefined) traceLine({ key: trace.key, enter: function_ });
    },
    exit(function_) {
      if (trace.key !== undefined) traceLine({ key: trace.key, exit: function_ });
    },
    statement(senders) {
      if (trace.key !== undefined) traceLine({ key: trace.key, statement: senders });
    },
  };
  return trace;
}
