// The server's answers as text for people. Pure.

import type { ErrorReport } from "../agent/errors.js";
import type {
  BoundDatabase,
  Deployment,
  FunctionStatus,
  PassReport,
  PlatformEvent,
  Signer,
  SourceStatus,
  Status,
  Warning,
} from "../agent/model.js";
import { formatPairs, formatTable, paintState } from "./table.js";
import { describeError, printable, says, TEXT } from "./wording.js";

export interface ViewOptions {
  colour: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

export function viewStatus({ sources, functions, drift, runtime }: Status, options: ViewOptions): string {
  const parts = [
    formatTable(
      ["SOURCE", "REPOSITORY", "REVISION", "STATE", "FETCHED"],
      sources.map((source) => ({ cells: sourceCells(source, options), below: belowSource(source, options) })),
    ),
    functions.length ? viewFunctions(functions, options) : `${TEXT.nothing}\n`,
    ...driftLine(drift),
    `${says.runtime(runtime.state, runtime.isolates, runtime.restarts)}\n`,
  ];
  return parts.join("\n");
}

/** A server of an earlier release counts none. */
function driftLine(drift: Status["drift"] = {}): string[] {
  return Object.keys(drift).length ? [`${says.drift(drift)}\n`] : [];
}

export type FunctionDetail = FunctionStatus & { deployments?: Deployment[] };

const MOST_DEPLOYMENTS = 10;

export function viewFunction(entry: FunctionDetail, options: ViewOptions): string {
  const deployments = (entry.deployments ?? []).slice(0, MOST_DEPLOYMENTS);
  const rows = deployments.map(({ at, cause, author, from, to }) => ({
    cells: [says.ago(options.now - at), cause, author, short(from, 8), short(to, 8)].map(printable),
  }));
  const notes = [...suspensionLines(entry), ...errorLines(entry.error), ...(entry.warnings ?? []).map(warningLine)];
  return [
    `${printable(entry.name)}  ${paintState(entry.state, options.colour)}\n`,
    formatPairs([
      ["url", entry.url],
      ["version", entry.version],
      ["revision", entry.revision],
      ["source", entry.source],
      ["folder", entry.folder],
      ["updated", age(entry.updatedAt, options)],
      ...databasePairs(entry.databases),
    ]),
    ...notes.map((line) => `  ${line}\n`),
    ...(rows.length ? ["\n", formatTable(["DEPLOYED", "CAUSE", "AUTHOR", "FROM", "TO"], rows)] : []),
  ].join("");
}

/** One line for each; what is wrong with it stands beside it. */
export function databasePairs(databases: BoundDatabase[] = []): [string, string][] {
  return databases.map(({ binding, name, problem }) => ["database", says.bound(binding, name, problem)]);
}

export function viewReport({ source, result, from, to, milliseconds, functions, ...rest }: PassReport): string {
  const lines = functions
    .filter((outcome) => outcome.result !== "unchanged")
    .flatMap((outcome) => [
      `${outcome.result} ${printable(outcome.name)}`,
      ...errorLines(outcome.error).map((line) => `  ${line}`),
    ]);
  const head = says.passed(source, result, revision(from), revision(to), Math.round(milliseconds));
  return [head, ...[...signerLines(rest.signedBy), ...errorLines(rest.error), ...lines].map((line) => `  ${line}`)]
    .map((line) => `${line}\n`)
    .join("");
}

/** One event as a line of its own. */
export function eventLine({ at, kind, message }: PlatformEvent): string {
  return `${[new Date(at).toISOString(), kind, message].map(printable).join("  ")}\n`;
}

export function viewEvents(events: PlatformEvent[]): string {
  const rows = [...events]
    .sort((a, b) => a.id - b.id)
    .map(({ at, kind, message }) => ({ cells: [new Date(at).toISOString(), kind, message].map(printable) }));
  return formatTable(["TIME", "KIND", "MESSAGE"], rows);
}

/** Names of what is not as it should be. */
export function notReady({ sources, functions }: Pick<Status, "sources" | "functions">): string[] {
  return [
    ...sources.filter(({ state }) => state !== "ready").map(({ name }) => `source ${name}`),
    ...functions.filter(({ state }) => state !== "ready" && state !== "removed").map(({ name }) => name),
  ];
}

function viewFunctions(functions: FunctionStatus[], { colour }: ViewOptions): string {
  const rows = functions.map((entry) => ({
    cells: [
      printable(entry.name),
      paintState(entry.state, colour),
      short(entry.version, 8),
      short(entry.revision?.split(":").at(-1) ?? null, 7),
      printable(entry.url),
    ],
    below: [...suspensionLines(entry), ...errorLines(entry.error)],
  }));
  return formatTable(["FUNCTION", "STATE", "VERSION", "REVISION", "URL"], rows);
}

function belowSource(source: SourceStatus, options: ViewOptions): string[] {
  return [...staleLines(source, options), ...signerLines(source.signedBy), ...errorLines(source.error)];
}

function signerLines(signer: Signer | undefined): string[] {
  return signer ? [says.signedBy(printable(signer.name), signer.kind, signer.fingerprint)] : [];
}

function staleLines({ staleSince }: SourceStatus, { now }: ViewOptions): string[] {
  return staleSince === undefined ? [] : [says.stale(says.ago(now - Date.parse(staleSince)))];
}

function sourceCells(source: SourceStatus, options: ViewOptions): string[] {
  const { name, repo, lastFetch, state } = source;
  const at = source.revision === null ? `${source.branch}` : revision(source.revision);
  return [
    printable(name),
    printable(repo),
    printable(at),
    paintState(state, options.colour),
    age(lastFetch, options) ?? "never",
  ];
}

/** `main@sha1:3f2a…` → `main@3f2a91c`. */
function revision(full: string | null): string {
  const [, branch, commit] = /^(.*)@sha1:([0-9a-f]+)$/.exec(full ?? "") ?? [];
  return commit === undefined ? "-" : `${branch}@${commit.slice(0, 7)}`;
}

function short(id: string | null, length: number): string {
  return id === null ? "-" : printable(id).slice(0, length);
}

function age(time: string | null, { now }: ViewOptions): string | null {
  return time === null ? null : says.ago(now - Date.parse(time));
}

function errorLines(error: ErrorReport | undefined): string[] {
  if (!error) return [];
  const hint = error.hint === undefined ? [] : [`hint: ${printable(error.hint)}`];
  return [`error: ${printable(describeError(error))}`, ...hint];
}

function suspensionLines({ suspension }: Pick<FunctionStatus, "suspension">): string[] {
  return suspension ? [printable(says.suspendedBy(suspension))] : [];
}

function warningLine(warning: Warning): string {
  return `warning: ${printable(describeError(warning))}`;
}
