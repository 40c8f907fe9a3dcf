// Previews of branches and commits: what each is made of, and the aliases that lead to it. Never moves `latest`, and makes no database.

import { type ErrorReport, WrkstError } from "../errors.js";
import type { RoutedDatabase } from "../model.js";
import type { Db } from "./database.js";
import type { BindingRows, BindingsFound, BindingsWanted } from "./database-bindings.js";
import type { DatabaseRows } from "./databases.js";
import type { EventRows, Events, NewEvent } from "./events.js";
import type { FunctionRows } from "./functions.js";
import type { Holds } from "./holds.js";
import { fromJson, optional, toJson } from "./json.js";
import type { Settings } from "./settings.js";
import type { NewBuild, NewVersion } from "./switch.js";
import type { VersionRows, Versions } from "./versions.js";

export interface PreviewRecord {
  id: string;
  source: string;
  /** Null: somebody asked for the commit. */
  branch: string | null;
  /** 40 hex; `""` until something was recorded. */
  commit: string;
  /** Alias on each of its functions; of a commit its 40 hex. */
  label: string;
  /** Digest of what was looked at. */
  handled: string;
  /** Version of every function that it declares, also where it is production's. */
  versions: Record<string, string>;
  error?: ErrorReport;
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
  made: NewVersion[];
  builds: NewBuild[];
  events: NewEvent[];
}

/** Whatever changes routes raises their generation; the caller publishes. */
export interface PreviewRecords {
  /** By branch; of all sources where none is given. */
  all(source?: string): PreviewRecord[];
  byId(id: string): PreviewRecord | undefined;
  /** The preview of the branch, or of the commit where there is no branch; made without any function where there is none. */
  open(wanted: Pick<PreviewRecord, "source" | "branch" | "commit" | "label">): PreviewRecord;
  /** What bindings would stand for in production, without making anything there. */
  wouldBind(wanted: WouldBindWanted[]): WouldBind[];
  /** What it has stays; this is why nothing newer came of it. */
  fail(id: string, failure: { handled: string; error: ErrorReport }, events: NewEvent[]): void;
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
  error: string | null;
}

class Undone extends Error {}

export function createPreviews(deps: PreviewDeps): PreviewRecords {
  const { db, now, newId, settings, functions, versions, holds, bindings, databases, events } = deps;
  const rows = db.prepare<[string | null], PreviewRow>(
    'SELECT * FROM previews WHERE source = coalesce(?, source) ORDER BY source, branch, "commit"',
  );
  const one = db.prepare<[string], PreviewRow>("SELECT * FROM previews WHERE id = ?");
  const known = db.prepare<Record<string, string | null>, PreviewRow>(
    `SELECT * FROM previews WHERE source = @source AND branch IS @branch AND (@branch IS NOT NULL OR "commit" = @commit)`,
  );
  const functionsOf = db.prepare<[string], FunctionRow>(
    "SELECT * FROM preview_functions WHERE preview_id = ? ORDER BY name",
  );
  const add = db.prepare(
    `INSERT INTO previews (id, source, branch, "commit", label, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = db.prepare(
    `UPDATE previews SET "commit" = @commit, label = @label, handled = @handled, versions = @versions, error = @error,
       updated_at = @at WHERE id = @id`,
  );
  const failRow = db.prepare("UPDATE previews SET handled = ?, error = ?, updated_at = ? WHERE id = ?");
  const deleteRow = db.prepare("DELETE FROM previews WHERE id = ?");
  const addFunction = db.prepare(
    `INSERT INTO preview_functions (preview_id, name, function_id, version_id, bindings, secrets, error)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
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
         AND NOT EXISTS (SELECT 1 FROM deployments WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM versions WHERE function_id = f.id AND upload IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM holds WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM aliases WHERE function_id = f.id))`,
    )
    .pluck();

  function recordOf(row: PreviewRow): PreviewRecord {
    const { created_at: createdAt, updated_at: updatedAt, versions: json, error, ...rest } = row;
    return {
      ...rest,
      ...{ createdAt, updatedAt, versions: fromJson(json) },
      functions: functionsOf.all(row.id).map(functionOf),
      ...optional<"error", ErrorReport>("error", error),
    };
  }

  function open(wanted: Pick<PreviewRecord, "source" | "branch" | "commit" | "label">): PreviewRecord {
    const { source, branch, commit, label } = wanted;
    const found = known.get({ source, branch, commit });
    if (found) return recordOf(found);
    const id = newId();
    add.run(id, source, branch, commit, label, now(), now());
    return recordOf(one.get(id)!);
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
    const before = recordOf(one.get(change.id)!);
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
    leave(before, at);
    const { id, commit, label, handled, error } = change;
    update.run({ id, commit, label, handled, versions: JSON.stringify(change.versions), error: toJson(error), at });
    for (const one of change.functions) {
      const functionId = one.version === null ? null : ids.get(one.name)!;
      const { name, version, bindings: bound, hasSecrets } = one;
      addFunction.run(id, name, functionId, version, JSON.stringify(bound), Number(hasSecrets), toJson(one.error));
      if (functionId === null || version === null) continue;
      endVersion.run(null, version);
      if (before.branch !== null && !isHeld(functionId, label)) versions.setAlias(functionId, label, version);
    }
    forgetUnused(before);
    for (const event of change.events) events.addEvent(event);
    settings.bumpRouteGeneration();
    return recordOf(one.get(id)!);
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

  function forgetUnused({ functions: own }: PreviewRecord): void {
    for (const { functionId } of own) {
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
    const row = one.get(id);
    if (!row) return;
    const gone = recordOf(row);
    leave(gone, 0);
    deleteRow.run(id);
    forgetUnused(gone);
    for (const event of noted) events.addEvent(event);
    settings.bumpRouteGeneration();
  }

  return {
    all: (source) => rows.all(source ?? null).map(recordOf),
    byId: (id) => {
      const row = one.get(id);
      return row && recordOf(row);
    },
    open,
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
    ...optional<"error", ErrorReport>("error", error),
  };
}
