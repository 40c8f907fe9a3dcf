// Previews of branches and commits: what each is made of, and the aliases that lead to it. Never moves `latest`, and makes no database.

import { type ErrorReport, WrkstError } from "../errors.js";
import type { RoutedDatabase, Warning } from "../model.js";
import type { Db } from "./database.js";
import type { BindingRows, BindingsFound, BindingsWanted } from "./database-bindings.js";
import type { DatabaseRows } from "./databases.js";
import type { EventRows, Events, NewEvent } from "./events.js";
import type { FunctionRows } from "./functions.js";
import type { Holds } from "./holds.js";
import { fromJson, optional, toJson } from "./json.js";
import { createPreviewCommits, type PastCommit } from "./preview-commits.js";
import type { Settings } from "./settings.js";
import type { NewBuild, NewVersion } from "./switch.js";
import type { VersionRows, Versions } from "./versions.js";

export interface PreviewRecord {
  id: string;
  source: string;
  /** Null: somebody asked for the commit. */
  branch: string | null;
  /** Of a commit: the function that it was asked for. */
  function: string | null;
  /** Of a commit: when somebody asked for it last, milliseconds since 1970. */
  askedAt: number | null;
  /** 40 hex; `""` until something was recorded. */
  commit: string;
  /** Alias on each of its functions; of a commit its 40 hex. */
  label: string;
  /** Digest of what was looked at. */
  handled: string;
  /** Version of every function that it declares, also where it is production's. */
  versions: Record<string, string>;
  error?: ErrorReport;
  /** What its copies lack. */
  warnings: Warning[];
  /** Sorted by name. */
  functions: PreviewFunction[];
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
}

/** A function that differs from production, or failed. */
export interface PreviewFunction {
  name: string;
  functionId: string | null;
  version: string | null;
  /** Binding → id of the database that it has a copy of, or `new:<name>` where production has none. */
  bindings: Record<string, string>;
  /** Whether it gets the secrets of its function. */
  hasSecrets: boolean;
  /** Where only migrations differ from production: a digest of production's at that time. */
  migrates?: string;
  error?: ErrorReport;
}

export type WouldBind = { bindings: Record<string, string> } | Extract<BindingsFound, { error: unknown }>;

/** The function may not exist yet. */
export type WouldBindWanted = Omit<BindingsWanted, "function" | "isStrict" | "by"> & {
  function: Omit<BindingsWanted["function"], "id">;
};

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
  ask(wanted: { source: string; commit: string; function: string }, events: NewEvent[]): PreviewRecord;
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

interface PreviewRow {
  id: string;
  source: string;
  branch: string | null;
  commit: string;
  label: string;
  function: string | null;
  asked_at: number | null;
  warnings: string;
  handled: string;
  versions: string;
  error: string | null;
  created_at: number;
  updated_at: number;
}

interface FunctionRow {
  name: string;
  function_id: string | null;
  version_id: string | null;
  bindings: string;
  secrets: number;
  migrates: string | null;
  error: string | null;
}

class Undone extends Error {}

export function createPreviews(deps: PreviewDeps): PreviewRecords {
  const { db, now, newId, settings, functions, versions, holds, bindings, databases, events } = deps;
  const rows = db.prepare<[string | null], PreviewRow>(
    'SELECT * FROM previews WHERE source = coalesce(?, source) ORDER BY source, branch, "commit"',
  );
  const one = db.prepare<[string], PreviewRow>("SELECT * FROM previews WHERE id = ?");
  const ofBranch = db.prepare<[string, string], PreviewRow>("SELECT * FROM previews WHERE source = ? AND branch = ?");
  const asked = db.prepare<[string, string, string], PreviewRow>(
    'SELECT * FROM previews WHERE source = ? AND "commit" = ? AND function = ? AND branch IS NULL',
  );
  const addAsked = db.prepare(
    `INSERT INTO previews (id, source, branch, "commit", label, function, asked_at, created_at, updated_at)
     VALUES (@id, @source, NULL, @commit, @commit, @function, @at, @at, @at)`,
  );
  const askAgain = db.prepare("UPDATE previews SET asked_at = ?, handled = ?, error = ? WHERE id = ?");
  const warnRow = db.prepare("UPDATE previews SET warnings = ? WHERE id = ?");
  const copiesOf = db
    .prepare<[string], string>("SELECT database_id FROM version_copies WHERE version_id = ? AND state = 'ready'")
    .pluck();
  const commits = createPreviewCommits(db);
  const functionsOf = db.prepare<[string], FunctionRow>(
    "SELECT * FROM preview_functions WHERE preview_id = ? ORDER BY name",
  );
  const add = db.prepare(
    `INSERT INTO previews (id, source, branch, "commit", label, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = db.prepare(
    `UPDATE previews SET "commit" = @commit, label = @label, handled = @handled, versions = @versions, error = @error,
       warnings = @warnings, updated_at = @at WHERE id = @id`,
  );
  const failRow = db.prepare("UPDATE previews SET handled = ?, error = ?, updated_at = ? WHERE id = ?");
  const deleteRow = db.prepare("DELETE FROM previews WHERE id = ?");
  const addFunction = db.prepare(
    `INSERT INTO preview_functions (preview_id, name, function_id, version_id, bindings, secrets, migrates, error)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const deleteFunctions = db.prepare("DELETE FROM preview_functions WHERE preview_id = ?");
  const isUsed = db
    .prepare<[string], number>("SELECT EXISTS (SELECT 1 FROM preview_functions WHERE version_id = ?)")
    .pluck();
  const endVersion = db.prepare("UPDATE versions SET preview_ended = ? WHERE id = ?");
  /** Nothing but previews made it: no source declares it, nobody deployed, uploaded or named anything. */
  const isOfPreviews = db
    .prepare<[string], number>(
      `SELECT EXISTS (SELECT 1 FROM functions f WHERE f.id = ? AND f.source IS NULL AND f.latest IS NULL
         AND f.removed_at IS NULL AND f.declared IS NULL
         AND NOT EXISTS (SELECT 1 FROM preview_functions WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM preview_commits WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM deployments WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM versions WHERE function_id = f.id AND upload IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM holds WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM aliases WHERE function_id = f.id))`,
    )
    .pluck();

  function recordOf(row: PreviewRow): PreviewRecord {
    const { created_at: createdAt, updated_at: updatedAt, asked_at: askedAt, ...more } = row;
    const { versions: json, warnings, error, ...rest } = more;
    return {
      ...rest,
      ...{ createdAt, updatedAt, askedAt, versions: fromJson(json), warnings: fromJson(warnings) },
      functions: functionsOf.all(row.id).map(functionOf),
      ...optional<"error", ErrorReport>("error", error),
    };
  }

  const byId = (id: string) => {
    const row = one.get(id);
    return row && recordOf(row);
  };

  function open(wanted: Parameters<PreviewRecords["open"]>[0]): PreviewRecord {
    const { source, branch, commit, label } = wanted;
    const found = ofBranch.get(source, branch);
    if (found) return recordOf(found);
    const id = newId();
    add.run(id, source, branch, commit, label, now(), now());
    return byId(id)!;
  }

  function ask({ source, commit, function: name }: Parameters<PreviewRecords["ask"]>[0], noted: NewEvent[]) {
    const row = asked.get(source, commit, name);
    const found = row && recordOf(row);
    if (found) {
      const hasFailed = found.error !== undefined || found.functions.some(({ error }) => error);
      askAgain.run(now(), hasFailed || lacksCopies(found) ? "" : found.handled, hasFailed ? null : row.error, found.id);
      return byId(found.id)!;
    }
    const id = newId();
    addAsked.run({ id, source, commit, function: name, at: now() });
    for (const event of noted) events.addEvent(event);
    return byId(id)!;
  }

  /** Copies of what is asked for too seldom make room for others. */
  function lacksCopies({ id, functions: own }: PreviewRecord): boolean {
    const there = new Set(copiesOf.all(previewHolder(id)));
    return own.some(({ bindings: bound }) => Object.values(bound).some((key) => !there.has(key)));
  }

  /** Asks as a switch would, and takes all back that this has made. */
  function wouldBind(asked: WouldBindWanted[]): WouldBind[] {
    let bound: (Record<string, RoutedDatabase | null> | Extract<BindingsFound, { error: unknown }>)[] = [];
    try {
      db.transaction(() => {
        const wanted = asked.map(({ function: { account, name }, ...one }) => {
          const id = bindings.functionId(account, name);
          return { ...one, function: { id, account, name }, isStrict: false };
        });
        const found = bindings.resolve(wanted);
        bound = wanted.map(({ function: { id }, version }, index) => {
          const answer = found[index]!;
          return "error" in answer ? answer : bindings.boundTo(id, version);
        });
        throw new Undone();
      }).immediate();
    } catch (error) {
      if (!(error instanceof Undone)) throw error;
    }
    return bound.map((answer) => (isRefused(answer) ? answer : { bindings: keysOf(answer) }));
  }

  /** What is not there once all was taken back would be new. */
  function keysOf(found: Record<string, RoutedDatabase | null>): Record<string, string> {
    return Object.fromEntries(
      Object.entries(found).flatMap(([binding, database]) => {
        if (!database) return [];
        const isThere = databases.byId(database.id)?.removedAt === null;
        return [[binding, isThere ? database.id : `new:${database.name}`]];
      }),
    );
  }

  function record(change: PreviewChange): PreviewRecord {
    const at = now();
    const before = byId(change.id);
    if (!before) throw new WrkstError("ERR_SUPERSEDED", "the preview was removed meanwhile");
    const ids = new Map(
      change.functions
        .filter(({ version }) => version !== null)
        .map(({ name, folder }) => [name, ensureFunction(change.account, name, folder, at)]),
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
    const [versionIds, warnings] = [change.versions, change.warnings].map((value) => JSON.stringify(value));
    update.run({ id, commit, label, handled, versions: versionIds, warnings, error: toJson(error), at });
    for (const one of change.functions) {
      const functionId = one.version === null ? null : ids.get(one.name)!;
      const { name, version, bindings: bound, hasSecrets, migrates = null } = one;
      const found = [JSON.stringify(bound), Number(hasSecrets), migrates, toJson(one.error)];
      addFunction.run(id, name, functionId, version, ...found);
      if (functionId === null || version === null) continue;
      endVersion.run(null, version);
      if (before.branch !== null && !isHeld(functionId, label)) versions.setAlias(functionId, label, version);
    }
    forgetUnused(before.functions.map(({ functionId }) => functionId));
    for (const event of change.events) events.addEvent(event);
    settings.bumpRouteGeneration();
    return byId(id)!;
  }

  const isHeld = (functionId: string, alias: string) =>
    holds.hold(functionId, alias) !== undefined || holds.suspension(functionId) !== undefined;

  /** Takes aliases and rows away; what is recorded next makes them anew. An alias that a person moved is theirs. */
  function leave({ id, branch, label, functions: own }: PreviewRecord, ended: number): void {
    deleteFunctions.run(id);
    for (const { functionId, version } of own) {
      if (functionId === null || version === null) continue;
      const alias = versions.aliases(functionId).find(({ name }) => name === label);
      const isOurs = alias?.versionId === version && !isHeld(functionId, label);
      if (branch !== null && isOurs) versions.deleteAlias(functionId, label);
      if (isUsed.get(version) === 0) endVersion.run(ended, version);
    }
  }

  function forgetUnused(ids: (string | null)[]): void {
    for (const functionId of ids) {
      if (functionId === null || isOfPreviews.get(functionId) === 0) continue;
      bindings.removeOf(functionId);
      functions.forget(functionId);
    }
  }

  /** A function that was removed stays so: previews need no more than its id. */
  function ensureFunction(account: string, name: string, folder: string, at: number): string {
    const owner = functions.owner(name);
    if (owner) return owner.id;
    const id = newId();
    functions.save({
      ...{
        id,
        account,
        name,
        source: null,
        folder,
        state: "pending",
        warnings: [],
        hosts: {},
        latest: null,
        split: null,
      },
      ...{ declared: null, withdrawn: false, revision: null, generation: 0 },
      ...{ createdAt: at, updatedAt: at, removedAt: null },
    });
    return id;
  }

  function fail(id: string, { handled, error }: { handled: string; error: ErrorReport }, noted: NewEvent[]): void {
    failRow.run(handled, toJson(error), now(), id);
    for (const event of noted) events.addEvent(event);
  }

  function remove(id: string, noted: NewEvent[]): void {
    const gone = byId(id);
    if (!gone) return;
    const past = commits.all(id);
    leave(gone, 0);
    deleteRow.run(id);
    for (const { version } of past) if (isUsed.get(version) === 0) endVersion.run(0, version);
    forgetUnused([...gone.functions, ...past].map(({ functionId }) => functionId));
    for (const event of noted) events.addEvent(event);
    settings.bumpRouteGeneration();
  }

  function forgetPast(before: number): boolean {
    const functionIds = commits.forgetBefore(before);
    if (!functionIds.length) return false;
    forgetUnused(functionIds);
    settings.bumpRouteGeneration();
    return true;
  }

  function warn(id: string, added: Warning[]): void {
    const found = byId(id);
    if (!found) return;
    const all = new Map([...found.warnings, ...added].map((warning) => [warning.message, warning]));
    warnRow.run(JSON.stringify([...all.values()]), id);
  }

  return {
    all: (source) => rows.all(source ?? null).map(recordOf),
    byId,
    open,
    ask: db.transaction(ask).immediate,
    past: commits.all,
    forgetPast: db.transaction(forgetPast).immediate,
    warn: db.transaction(warn).immediate,
    wouldBind,
    fail: db.transaction(fail).immediate,
    record: db.transaction(record).immediate,
    remove: db.transaction(remove).immediate,
  };
}

function isRefused(
  answer: Record<string, RoutedDatabase | null> | Extract<BindingsFound, { error: unknown }>,
): answer is Extract<BindingsFound, { error: unknown }> {
  return answer.error instanceof WrkstError;
}

function functionOf(row: FunctionRow): PreviewFunction {
  const { name, function_id: functionId, version_id: version, bindings, secrets, error } = row;
  return {
    ...{ name, functionId, version, bindings: fromJson(bindings), hasSecrets: secrets === 1 },
    ...(row.migrates === null ? {} : { migrates: row.migrates }),
    ...optional<"error", ErrorReport>("error", error),
  };
}
