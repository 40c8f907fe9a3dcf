// Which functions are in flight, from the lines the router writes while it traces. Lines without this process's key are
// no trace: functions write to the same stdout.
import { TRACE_PREFIX, type TraceLine } from "../../runtime/wire.js";

export interface InFlight {
  /** True when the line was a trace of the router's; it is then not for the log. */
  take(line: string): boolean;
  /** Names, each once. */
  names(): string[];
  /** While statements run, and with them nothing else: the functions of which one sent them. */
  senders(): string[] | undefined;
}

export function createInFlight(key: string): InFlight {
  const counts = new Map<string, number>();
  let senders: string[] | undefined;
  const add = (name: string, step: number) => {
    const count = (counts.get(name) ?? 0) + step;
    if (count > 0) counts.set(name, count);
    else counts.delete(name);
  };
  return {
    take(line) {
      if (!line.startsWith(TRACE_PREFIX)) return false;
      const trace = parse(line.slice(TRACE_PREFIX.length));
      if (trace?.key !== key) return false;
      if ("statement" in trace) senders = trace.statement ?? undefined;
      else if ("enter" in trace) add(trace.enter, 1);
      else add(trace.exit, -1);
      return true;
    },
    names: () => [...counts.keys()],
    senders: () => senders,
  };
}

function parse(text: string): TraceLine | undefined {
  try {
    return JSON.parse(text) as TraceLine;
  } catch {
    return undefined;
  }
}
