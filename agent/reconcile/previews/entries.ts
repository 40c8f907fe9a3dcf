// Previews as a list, one entry for each function of each. Pure.
import type { PreviewEntry } from "../../model.js";
import type { PastCommit, PreviewFunction, PreviewRecord } from "../../store/index.js";
import { previewUrl, type UrlOf } from "./report.js";

/** Digits of a commit in a host. */
const DIGITS = 12;

export interface EntriesOf {
  records: PreviewRecord[];
  past: PastCommit[];
  nameOf(functionId: string): string | undefined;
  accountOf(source: string): string;
  /** It is worked on, and not served yet. */
  isMaking(record: PreviewRecord): boolean;
  urlOf: UrlOf;
  /** PREVIEW_RETENTION in milliseconds; 0: for ever. */
  retention: number;
}

export function commitUrl(urlOf: UrlOf, name: string, commit: string): string {
  return previewUrl(urlOf, name, commit.slice(0, DIGITS));
}

export function endOf(from: number, retention: number): number | null {
  return retention === 0 ? null : from + retention;
}

/** By function, then branch, then commit, those that serve a branch before those that did. */
export function previewEntries(of: EntriesOf): PreviewEntry[] {
  const entries = of.records.flatMap((record) =>
    record.branch === null ? [askedEntry(of, record)] : branchEntries(of, record),
  );
  const byId = new Map(of.records.map((record) => [record.id, record]));
  const replaced = of.past.flatMap((past) => replacedEntry(of, past, byId.get(past.preview)) ?? []);
  const keyOf = ({ function: name, branch, state }: PreviewEntry) =>
    JSON.stringify([name, branch ?? "", state === "replaced"]);
  return [...entries, ...replaced].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
}

function branchEntries(of: EntriesOf, record: PreviewRecord): PreviewEntry[] {
  return record.functions.map((one) => {
    const url = one.version === null ? null : previewUrl(of.urlOf, one.name, record.label);
    return { ...entryOf(of, record, one), url, expiresAt: null };
  });
}

function askedEntry(of: EntriesOf, record: PreviewRecord): PreviewEntry {
  const { function: name, askedAt, createdAt, commit } = record;
  const nothing = { name: name ?? "", functionId: null, version: null, bindings: {}, hasSecrets: false };
  const one = record.functions[0] ?? nothing;
  const url = one.version === null ? null : commitUrl(of.urlOf, one.name, commit);
  return { ...entryOf(of, record, one), url, expiresAt: endOf(askedAt ?? createdAt, of.retention) };
}

function entryOf(of: EntriesOf, record: PreviewRecord, one: PreviewFunction): Omit<PreviewEntry, "url" | "expiresAt"> {
  const { id, source, branch, commit, createdAt, updatedAt, warnings } = record;
  const error = one.error ?? record.error;
  const isMade = branch !== null || (record.handled !== "" && !of.isMaking(record));
  return {
    ...{ id, function: one.name, account: of.accountOf(source), source, branch, commit },
    state: isMade ? (error ? "failed" : "ready") : "building",
    ...{ version: one.version, createdAt, updatedAt },
    ...(error ? { error } : {}),
    ...(warnings.length ? { warnings } : {}),
  };
}

function replacedEntry(of: EntriesOf, past: PastCommit, record: PreviewRecord | undefined): PreviewEntry | undefined {
  const name = of.nameOf(past.functionId);
  if (!record || name === undefined) return undefined;
  const { id, source, branch, createdAt } = record;
  const { commit, version, endedAt } = past;
  return {
    ...{ id, function: name, account: of.accountOf(source), source, branch, commit, version, createdAt },
    ...{ state: "replaced", url: commitUrl(of.urlOf, name, commit), updatedAt: endedAt },
    expiresAt: endOf(endedAt, of.retention),
  };
}
