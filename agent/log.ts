// The log: JSON lines for machines, calm lines for a terminal. Invariant: no line carries a secret that can be told
// from its name or its form.

import { type DestinationStream, type Logger, pino } from "pino";
import { colorizerFactory, prettyFactory } from "pino-pretty";

export type Log = Logger;

export interface LogOptions {
  level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  format: "pretty" | "json";
  /** Default: standard output. */
  destination?: DestinationStream;
  /** Colours on pretty lines. */
  colour?: boolean;
}

/** A pino logger. `log.info({ function: "hello" }, "deployed")`; errors go under `err`. */
export function createLog({ level, format, destination, colour = false }: LogOptions): Log {
  const raw = destination ?? pino.destination({ dest: 1, sync: true });
  const sink = format === "pretty" ? prettySink(raw, colour) : raw;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (fields) => hideSecrets(fields, 0) },
      hooks: { streamWrite: hideSecretForms },
    },
    sink,
  );
}

const SECRET_NAME = /token|secret|password|passphrase|authorization|cookie|credential|signature|private.?key/i;
const HIDDEN = "(hidden)";

/** A copy in which what is named like a secret is replaced. Errors are left to pino's serializer. */
function hideSecrets(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (typeof value === "string" && SECRET_NAME.test(name)) return [name, HIDDEN];
      return [name, isPlain(value) && depth < 4 ? hideSecrets(value, depth + 1) : value];
    }),
  );
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** What has the form of a secret, wherever it stands in the line: tokens of ours, credentials in URLs and headers. */
function hideSecretForms(line: string): string {
  return line
    .replace(/\bwrkst_[A-Za-z0-9_-]{16,}/g, HIDDEN)
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/"@\\]+:[^\s/"@\\]+@/gi, `$1${HIDDEN}@`)
    .replace(/\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${HIDDEN}`);
}

/** pino-pretty in this process: a worker thread would lose the last lines of a process that ends. */
function prettySink(destination: DestinationStream, colour: boolean): DestinationStream {
  const paint = colorizerFactory(colour);
  const format = prettyFactory({
    colorize: colour,
    hideObject: true,
    ignore: "time,level,pid,hostname",
    messageFormat: (line, messageKey) => prettyLine(line, String(line[messageKey] ?? ""), paint.greyMessage),
  });
  return { write: (line) => destination.write(format(line)) };
}

/** For programs, or said by the message: a person does not need them on every line. */
const QUIET_FIELDS = new Set(
  "level time msg err hint function url source revision cause author phases event code requestId".split(" "),
);

/** `12:03:04 deployed  function=hello`, an error and its hint on lines of their own. */
function prettyLine(line: Record<string, unknown>, message: string, grey: (text: string) => string): string {
  const level = String(line.level);
  const fields = Object.entries(line)
    .filter(([name, value]) => !QUIET_FIELDS.has(name) && value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const head = [grey(new Date(String(line.time)).toTimeString().slice(0, 8))];
  if (level !== "info") head.push(`${level}:`);
  head.push(message, ...(fields.length ? [grey(fields.join(" "))] : []));
  return [head.join(" "), ...errorLines(line)].join("\n         ");
}

function errorLines(line: Record<string, unknown>): string[] {
  const error = isPlain(line.err) ? line.err : {};
  const hint = error.hint ?? line.hint;
  return [
    ...(error.message === undefined ? [] : [`error: ${error.message}`]),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
    ...(error.message !== undefined && error.code === undefined && typeof error.stack === "string"
      ? error.stack.split("\n").slice(1)
      : []),
  ];
}
