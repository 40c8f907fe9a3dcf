// Every sentence that the command says, in one place. Pure.

import type { ErrorReport } from "../agent/errors.js";

export const VERSION = "0.1.0";

export const TEXT = {
  program: "Workers-style functions on your own server.",
  status: "show sources and functions, or one function",
  sync: "fetch a source now and deploy what changed",
  events: "show what happened",
  function: "name of a function",
  source: "name of a source",
  url: "address of the server (default: WRKST_URL, else http://localhost:8080)",
  tokenFile: "file with the token (default: WRKST_TOKEN, else the local server's own file)",
  json: "print the server's answer as JSON",
  check: "exit 1 unless everything is ready",
  wait: "wait until the pass is done, exit 1 when it failed",
  prune: "also remove more functions than GIT_PRUNE_LIMIT allows",
  limit: "how many",
  only: "only those of this function",
  seeHelp: 'see "wrkst --help"',
  nothing: "no function yet",
  noToken: "set WRKST_TOKEN or --token-file; on the server, the token lies in data/secrets/admin-token",
  wrongToken: "the token is not this server's: compare it with data/secrets/admin-token on the server",
  isItRunning: 'start it with "npm start", or name another with --url or WRKST_URL',
  isItWrkst: "compare --url or WRKST_URL with the address that the server printed at its start",
} as const;

export const says = {
  error: (message: string) => `wrkst: error: ${message}\n`,
  warning: (message: string) => `wrkst: warning: ${message}\n`,
  hint: (message: string) => `wrkst: hint: ${message}\n`,
  unreachable: (url: string, reason: string) => `cannot reach "${url}": ${reason}`,
  noApi: (url: string, status: number) => `expected the API of wrkst at "${url}", received something else (${status})`,
  badUrl: (url: string) => `expected an address such as "http://localhost:8080", received "${url}"`,
  noTokenFile: (file: string) => `cannot read the token file "${file}"`,
  openWire: (host: string) => `the token travels unencrypted to "${host}": use https`,
  notReady: (names: string[]) => `not ready: ${names.join(", ")}`,
  runtime: (state: string, isolates: number, restarts: number) =>
    `runtime: ${state}, ${count(isolates, "isolate")}, ${count(restarts, "restart")}`,
  accepted: (source: string, job: string) => `source "${source}": sync asked for, job ${job}`,
  passed: (source: string, result: string, from: string, to: string, milliseconds: number) =>
    result === "switched" && from !== to
      ? `source "${source}": ${from} → ${to} in ${milliseconds} ms`
      : `source "${source}": ${result} at ${to}`,
  ago: (milliseconds: number) => {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
    return `${Math.floor(seconds / 86_400)} d ago`;
  },
};

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/** `file:line:column: message`, as far as known. */
export function describeError({ message, position }: ErrorReport): string {
  if (!position) return message;
  const { file, line, column } = position;
  const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined);
  return `${place.join(":")}: ${message}`;
}

/** Text from elsewhere, on one line and without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").replace(/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "");
}
