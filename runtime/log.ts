// Lines for the agent's log, on the output of workerd. One JSON value per line, so that nobody's text can end it.
import { LOG_PREFIX, type LogLine, TRACE_PREFIX, type TraceLine } from "./wire.js";

export function logLine(line: LogLine): void {
  console.error(LOG_PREFIX + JSON.stringify(line));
}

/** Written before it returns: it has to come out even when the process freezes right after. */
export function traceLine(line: TraceLine): void {
  console.log(TRACE_PREFIX + JSON.stringify(line));
}

/** Name, message and stack of anything thrown, as one text. */
export function describeThrown(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const heading = `${thrown.name}: ${thrown.message}`;
  return thrown.stack?.includes(thrown.message) ? thrown.stack : heading;
}
