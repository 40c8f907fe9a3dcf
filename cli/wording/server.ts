// What is said of the server, logins, and of what the command itself does. Pure.

import { count, printable, span } from "./printing.js";

/** What events are about. */
const NOUNS = "source, function, alias, version, database, preview, runtime, secret, token or user";

export const saysOfServer = {
  error: (message: string) => `wrkst: error: ${message}\n`,
  warning: (message: string) => `wrkst: warning: ${message}\n`,
  hint: (message: string) => `wrkst: hint: ${message}\n`,
  seeHelp: (command: string) => `see: ${command} --help`,
  unreachable: (url: string, reason: string) => `cannot reach "${url}": ${reason}`,
  noApi: (url: string, status: number) => `expected the API of wrkst at "${url}", received something else (${status})`,
  noLogin: (url: string, status: number) => `"${url}" has no login (${status})`,
  badUrl: (url: string) =>
    `expected an address such as "http://localhost:8080", received "${url.replace(/\/\/[^/]*@/, "//…@")}"`,
  noTokenFile: (file: string) => `cannot read the token file "${file}"`,
  unreadable: (file: string, reason: string) => `cannot read "${file}": ${reason}`,
  tokenElsewhere: (url: string) =>
    `WRKST_TOKEN is for WRKST_URL and was not sent to "${url}": use --token-file, or "wrkst login --url ${url}"`,
  openWire: (host: string) => `the token travels unencrypted to "${host}": use https`,
  notReady: (names: string[]) => `not ready: ${names.join(", ")}`,
  runtime: (state: string, isolates: number, restarts: number) =>
    `runtime: ${state}, ${count(isolates, "isolate")}, ${count(restarts, "restart")}`,
  /** `3 functions differ from git: 2 pinned, 1 failed`. */
  drift: (counts: Record<string, number>) => {
    const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
    const parts = Object.entries(counts).map(([reason, number]) => `${number} ${reason}`);
    return `${count(total, "function")} ${total === 1 ? "differs" : "differ"} from git: ${parts.join(", ")}`;
  },
  tokenMade: (id: string, account: string) =>
    `token ${id} for account "${account}"; this is the only time it is shown:`,
  tokenRevoked: (id: string) => `revoked ${id}`,
  nobodyToAsk: (question: string) => `nobody to ask: ${question}`,
  connectionLost: (url: string) => `lost the connection to ${url}, trying again; Ctrl-C ends it`,
  eventsLost: (lost: number | null) =>
    lost === null
      ? "the server has begun a new list of events: what happened in between is not known"
      : `${count(lost, "event")} in between ${lost === 1 ? "is" : "are"} kept no longer`,
  badKind: (raw: string) =>
    `expected kinds such as source.synced or function.updated, or nouns such as ${NOUNS}, separated by commas, received "${raw}".`,
  noEvents: (kinds: string | undefined) =>
    `nothing that was asked for has happened${kinds === undefined ? "" : `; kinds begin with nouns such as ${NOUNS}`}`,
  notYet: (reason: string) => `${reason}: what happens is shown from when there is`,
  listening: (name: string) => `listening to "${name}", Ctrl-C ends it`,
  tailEnded: (name: string) => `the server ended the tail of "${name}"`,
  urlSet: (url: string) => `server is ${url}`,
  openThis: (page: string) => `open this page to log in:\n\n  ${page}\n\n`,
  noBrowser: () => "no browser here: open the address above yourself\n",
  typeCode: (page: string, code: string) => `open ${page} on any machine and type this code:\n\n  ${code}\n\n`,
  orOpen: (page: string) => `or open ${page}\n`,
  loginRefused: (reason: string) => `the login failed: ${reason}`,
  loggedIn: (name: string, url: string, account: string) =>
    `logged in to ${url} as ${printable(name)}, account ${printable(account)}\n`,
  loggedOut: (url: string) => `logged out of ${url}`,
  notLoggedIn: (url: string) => `not logged in to ${url}`,
  ago: (milliseconds: number) => `${span(milliseconds)} ago`,
  ahead: (milliseconds: number) => `in ${span(milliseconds)}`,
};
