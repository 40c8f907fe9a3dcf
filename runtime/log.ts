// Lines for the agent's log, on the output of workerd. One JSON value per line, so that nobody's text can end it.
import { type Exception, LOG_PREFIX, type LogLine, TRACE_PREFIX, type TraceLine } from "./wire.js";

export function logLine(line: LogLine): void {
  console.error(LOG_PREFIX + JSON.stringify(line));
}

/** Written before it returns: it has to come out even when the process freezes right after. */
export function traceLine(line: TraceLine): void {
  console.log(TRACE_PREFIX + JSON.stringify(line));
}

/** Property of an error that holds the stack it had inside the isolate. */
export const STACK_PROPERTY = "__wrkstStack";

/** Longer texts are cut: a function decides how much it throws. */
const MAX_TEXT = 4096;

/** Name and message of anything thrown, with the stack it had inside the function's isolate, as one text. */
export function describeThrown(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown).slice(0, MAX_TEXT);
  const stack = (thrown as { [STACK_PROPERTY]?: unknown })[STACK_PROPERTY];
  const text = typeof stack === "string" ? stack : `${thrown.name}: ${thrown.message}`;
  return text.slice(0, MAX_TEXT);
}

/** What a function threw, as data. */
export function exceptionOf(thrown: unknown): Exception {
  const text = describeThrown(thrown);
  const frames = text.search(/^ +at /m);
  return {
    name: thrown instanceof Error ? String(thrown.name).slice(0, 100) : "Error",
    message: (thrown instanceof Error ? String(thrown.message) : text).slice(0, MAX_TEXT),
    timestamp: Date.now(),
    ...(frames === -1 ? {} : { stack: text.slice(frames) }),
  };
}
