// What workerd writes, as lines of the platform's log: with a level, and no more of one kind than a person can use.
// Pure but for the log it is given. A refused connection of a function logs a stack each time, and functions write to
// the same stdout, so everything is limited per kind.
import { LOG_PREFIX, type LogLine } from "../../runtime/wire.js";

/** The part of a pino logger that is used here. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface RuntimeLog {
  line(stream: "stdout" | "stderr", text: string): void;
  /** Says what was held back; call it once the process has ended. */
  flush(): void;
}

const WINDOW = 10_000;
const LINES_PER_KIND = 5;
const FUNCTION_LINES = 50;
/** More kinds than this in one window are counted as one: the table must not grow with what a function invents. */
const MAX_KINDS = 200;

type Level = "debug" | "info" | "warn" | "error";

/** `workerd/io/worker.c++:2345: error: …`, or `*** fatal error …`. */
const RUNTIME_LINE = /^(?:[\w./+-]+:\d+: (info|warning|error|fatal): |\*\*\* |#)/;
/** What workerd says when an isolate was unloaded by our own word (`abortIsolate`): nothing is wrong. */
const UNLOADED = /script terminated for unknown reasons/;
/** What follows a line of the runtime's and belongs to it. */
const CONTINUATION = /^(?:\s|stack: |$)/;

export function createRuntimeLog(options: { log: Log; process: string; now: () => number }): RuntimeLog {
  const counts = new Map<string, { level: Level; written: number; held: number }>();
  let windowStart = options.now();
  let previous: { level: Level; kind: string } | undefined;

  const flush = () => {
    for (const [kind, { level, held }] of counts) {
      if (held) options.log[level]({ runtime: options.process, held }, `${held} more lines like: ${kind}`);
    }
    counts.clear();
    windowStart = options.now();
  };

  return {
    line(stream, text) {
      if (options.now() - windowStart >= WINDOW) flush();
      const { level, kind, limit, said } = classify(stream, text, previous);
      previous = stream === "stderr" ? { level, kind } : previous;
      const key = counts.has(kind) || counts.size < MAX_KINDS ? kind : "other lines";
      const count = counts.get(key) ?? { level, written: 0, held: 0 };
      counts.set(key, count);
      if (count.written >= limit) {
        count.held++;
        return;
      }
      count.written++;
      const { message = text, ...fields } = said ?? {};
      if (message.trim()) options.log[level]({ runtime: options.process, ...fields }, message);
    },
    flush,
  };
}

interface Classified {
  level: Level;
  kind: string;
  limit: number;
  /** What the router reported, or a function that imitates it. */
  said?: LogLine;
}

function classify(stream: string, text: string, previous: { level: Level; kind: string } | undefined): Classified {
  const said = stream === "stderr" && text.startsWith(LOG_PREFIX) ? parse(text.slice(LOG_PREFIX.length)) : undefined;
  if (said) return { level: "warn", kind: `${said.event} ${said.function ?? ""}`.trim(), limit: LINES_PER_KIND, said };
  const found = stream === "stderr" ? RUNTIME_LINE.exec(text) : null;
  if (found && UNLOADED.test(text)) return { level: "debug" as const, kind: kindOf(text), limit: LINES_PER_KIND };
  if (found) return { level: levelOf(found[1]), kind: kindOf(text), limit: LINES_PER_KIND };
  if (stream === "stderr" && previous && CONTINUATION.test(text)) {
    return { level: "debug", kind: `${previous.kind} (details)`, limit: LINES_PER_KIND };
  }
  return { level: "info", kind: `output of functions on ${stream}`, limit: FUNCTION_LINES };
}

/** Only fields we know, and only as text: anybody may have written it. */
function parse(json: string): LogLine | undefined {
  try {
    const raw = JSON.parse(json) as Record<string, unknown>;
    const known = ["event", "function", "version", "request", "message"].filter(
      (name) => typeof raw[name] === "string",
    );
    if (!known.includes("event") || !known.includes("message")) return undefined;
    return Object.fromEntries(known.map((name) => [name, raw[name]])) as unknown as LogLine;
  } catch {
    return undefined;
  }
}

function levelOf(word: string | undefined): Level {
  if (word === "info") return "debug";
  return word === "warning" ? "warn" : "error";
}

/** The line without what differs from one time to the next: numbers, ids, quoted names. */
function kindOf(text: string): string {
  return text
    .slice(0, 300)
    .replace(/"[^"]*"|'[^']*'/g, "…")
    .replace(/\b[0-9a-f]*\d[0-9a-f]*\b/gi, "#")
    .slice(0, 120);
}
