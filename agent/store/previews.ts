// Previews of branches and commits: what each is made of, and the aliases that lead to it. Never moves `latest`, and makes no database.

import { type ErrorReport, WrkstError } from "../errors.js";
import type { Warning } from "../model.js";
import type { Db } from "./database.js";
import type { BindingRows } from "./database-bindings.js";
import type { DatabaseRows } from "./databases.js";
import type { EventRows, Events, NewEvent } from "./events.js";
import type { FunctionRows } from "./functions.js";
import type { Holds } from "./holds.js";
import { createWouldBind, type WouldBind, type WouldBindWanted } from "./preview-bindings.js";
import { createPreviewCommits, type PastCommit } from "./preview-commits.js";
import { createPreviewFunctions } from "./preview-functions.js";
import { type AskedPreview, createPreviewRows, type PreviewFunction, type PreviewRecord } from "./preview-rows.js";
import type { Settings } from "./settings.js";
import type { NewBuild, NewVersion } from "./switch.js";
import type { VersionRows, Versions } from "./versions.js";

export interface PreviewChange {
  id: string;
  commit: string;
  label: string;
  handled: string;
  account: string;
  versions: Record<string, string>;
  functions: (Omit<PreviewFunction, "functionId"> & { folder: string })[];
  error?: ErrorReport;
  warnings: Warning[];
  made: NewVersion[];
  builds: NewBuild[];
  events: NewEvent[];
}

/** Whatever changes routes raises their generation; the caller publishes. */
export interface PreviewRecords {
  /** By branch; of all sources where none is given. */
  all(source?: string): PreviewRecord[];
  byId(id: string): PreviewRecord | undefined;
  /** The preview of the branch; made without any function where there is none. */
  open(wanted: Pick<PreviewRecord, "source" | "commit" | "label"> & { branch: string }): PreviewRecord;
  /** The preview of a function at a commit: noted to be made where there is none, and again where it failed or lost its copies. */
  ask(wanted: AskedPreview, events: NewEvent[]): PreviewRecord;
  /** What branches were before they moved on, the newest first; of all previews where none is given. */
  past(id?: string): PastCommit[];
  /** Forgets what branches moved on from before then, in milliseconds since 1970. Answers whether there was anything. */
  forgetPast(before: number): boolean;
  /** Adds to what is said of a preview. */
  warn(id: string, warnings: Warning[]): void;
  /** What bindings would stand for in production, without making anything there. */
  wouldBind(wanted: WouldBindWanted[]): WouldBind[];
  /** What it has stays; this is why nothing newer came of it. */
  fail(id: string, failure: { handled: string; error: ErrorReport }, events: NewEvent[]): void;
  /** @throws WrkstError ERR_SUPERSEDED where it was removed meanwhile */
  record(change: PreviewChange): PreviewRecord;
  /** With its aliases, and the functions that nothing else knows. */
  remove(id: string, events: NewEvent[]): void;
}

/** Stands where a version's id does in the row of a copy. */
export function previewHolder(id: string): string {
  return `preview:${id}`;
}

export interface PreviewDeps {
  db: Db;
  now: () => number;
  newId: () => string;
  settings: Settings;
  functions: FunctionRows;
  versions: Versions & VersionRows;
  holds: Holds;
  bindings: BindingRows;
  databases: Pick<DatabaseRows, "byId">;
  events: Events & EventRows;
}

export function createPreviews(deps: PreviewDeps): PreviewRecords {
  const { db, now, newId, settings, functions, versions, holds, events } = deps;
  const rows = createPreviewRows(db);
  const copiesOf = db
    .prepare<[string], string>("SELECT database_id FROM version_copies WHERE version_id = ? AND state = 'ready'")
    .pluck();
  const commits = createPreviewCommits(db);
  const onlyOfPreviews = createPreviewFunctions(deps);

  function open(wanted: Parameters<PreviewRecords["open"]>[0]): PreviewRecord {
    const { source, branch, commit, label } = wanted;
    const found = rows.ofBranch(source, branch);
    if (found) return found;
    const id = newId();
    rows.add({ id, source, branch, commit, label }, now());
    return rows.byId(id)!;
  }

  function ask(wanted: AskedPreview, noted: NewEvent[]): PreviewRecord {
    const found = rows.asked(wanted);
    if (found) {
      const hasFailed = found.error !== undefined || found.functions.some(({ error }) => error);
      rows.askAgain(found.id, hasFailed || lacksCopies(found) ? "" : found.handled, now());
      return rows.byId(found.id)!;
    }
    const id = newId();
    rows.addAsked(id, wanted, now());
    for (const event of noted) events.addEvent(event);
    return rows.byId(id)!;
  }

  /** Copies of what is asked for too seldom make room for others. */
  function lacksCopies({ id, functions: own }: PreviewRecord): boolean {
    const there = new Set(copiesOf.all(previewHolder(id)));
    return own.some(({ bindings: bound }) => Object.values(bound).some((key) => !there.has(key)));
  }

  function record(change: PreviewChange): PreviewRecord {
    const at = now();
    const before = rows.byId(change.id);
    if (!before) throw new WrkstError("ERR_SUPERSEDED", "the preview was removed meanwhile");
    const ids = new Map(
      change.functions
        .filter(({ version }) => version !== null)
        .map(({ name, folder }) => [name, onlyOfPreviews.ensure({ account: change.account, name, folder }, at)]),
    );
    const idOf = (name: string) => ids.get(name) ?? functions.owner(name)?.id;
    for (const version of change.made) {
      const id = idOf(version.function);
      if (id !== undefined) versions.addVersion(version, id, at);
    }
    for (const { function: name, ...build } of change.builds) {
      const functionId = idOf(name);
      if (functionId !== undefined) versions.saveBuild({ ...build, functionId }, at);
    }
    if (before.branch !== null) commits.note(before, change.commit, at);
    leave(before, at);
    const { id, commit, label, handled, error } = change;
    rows.update({ id, commit, label, handled, versions: change.versions, warnings: change.warnings, error }, at);
    for (const one of change.functions) {
      const { name, version } = one;
      const functionId = version === null ? null : ids.get(name)!;
      rows.addFunction(id, { ...one, functionId });
      if (functionId === null || version === null) continue;
      rows.endVersion(version, null);
      if (before.branch !== null && !isHeld(functionId, label)) versions.setAlias(functionId, label, version);
    }
    onlyOfPreviews.forgetUnused(before.functions.map(({ functionId }) => functionId));
    for (const event of change.events) events.addEvent(event);
    settings.bumpRouteGeneration();
    return rows.byId(id)!;
  }

  const isHeld = (functionId: string, alias: string) =>
    holds.hold(functionId, alias) !== undefined || holds.suspension(functionId) !== undefined;

  /** Takes aliases and rows away; what is recorded next makes them anew. An alias that a person moved is theirs. */
  function leave({ id, branch, label, functions: own }: PreviewRecord, ended: number): void {
    rows.removeFunctions(id);
    for (const { functionId, version } of own) {
      if (functionId === null || version === null) continue;
      const alias = versions.aliases(functionId).find(({ name }) => name === label);
      const isOurs = alias?.versionId === version && !isHeld(functionId, label);
      if (branch !== null && isOurs) versions.deleteAlias(functionId, label);
      if (!rows.isUsed(version)) rows.endVersion(version, ended);
    }
  }

  function fail(id: string, failure: { handled: string; error: ErrorReport }, noted: NewEvent[]): void {
    rows.fail(id, failure, now());
    for (const event of noted) events.addEvent(event);
  }

  function remove(id: string, noted: NewEvent[]): void {
    const gone = rows.byId(id);
    if (!gone) return;
    const past = commits.all(id);
    leave(gone, 0);
    rows.remove(id);
    for (const { version } of past) if (!rows.isUsed(version)) rows.endVersion(version, 0);
    onlyOfPreviews.forgetUnused([...gone.functions, ...past].map(({ functionId }) => functionId));
    for (const event of noted) events.addEvent(event);
    settings.bumpRouteGeneration();
  }

  function forgetPast(before: number): boolean {
    const functionIds = commits.forgetBefore(before);
    if (!functionIds.length) return false;
    onlyOfPreviews.forgetUnused(functionIds);
    settings.bumpRouteGeneration();
    return true;
  }

  function warn(id: string, added: Warning[]): void {
    const found = rows.byId(id);
    if (!found) return;
    const all = new Map([...found.warnings, ...added].map((warning) => [warning.message, warning]));
    rows.warn(id, [...all.values()]);
  }

  return {
    all: rows.all,
    byId: rows.byId,
    open,
    ask: db.transaction(ask).immediate,
    past: commits.all,
    forgetPast: db.transaction(forgetPast).immediate,
    warn: db.transaction(warn).immediate,
    wouldBind: createWouldBind(deps),
    fail: db.transaction(fail).immediate,
    record: db.transaction(record).immediate,
    remove: db.transaction(remove).immediate,
  };
}
