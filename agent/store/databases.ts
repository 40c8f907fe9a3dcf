// Databases: which there are, whose they are, who may use them. Files and objects are others' business. A name is free again when
// its database is removed; an id is never used again.

import { WrkstError } from "../errors.js";
import type { Actor, Database, DatabaseUse, RoutedDatabase } from "../model.js";
import type { Db } from "./database.js";
import { type BindingRows, type BindingsFound, type BindingsWanted, createBindings } from "./database-bindings.js";
import type { Events } from "./events.js";
import type { FunctionRows } from "./functions.js";
import { fromJson } from "./json.js";
import type { Settings } from "./settings.js";

export interface DatabaseRecord extends Database {
  /** Made by a declaration or by hand; a function's own one without either counts only when it holds data. */
  isDeclared: boolean;
  /** Went with its owner, and comes back with it. */
  removedWith: boolean;
}

export interface NewDatabase {
  account: string;
  name: string;
  owner: string | null;
  /** Binding, in lower case, that the owner reaches it by without naming it. */
  defaultFor?: string;
  /** Default true. */
  isDeclared?: boolean;
}

/** All that is written raises the generation of the routes; the caller publishes. */
export interface DatabaseRecords {
  /** Live or removed. */
  byId(id: string): DatabaseRecord | undefined;
  /** Live ones only. */
  byName(account: string, name: string): DatabaseRecord | undefined;
  /** Live ones, by name; of all accounts where none is given. */
  all(account?: string): DatabaseRecord[];
  /** Newest removal first; of all accounts where none is given. */
  removed(account?: string): DatabaseRecord[];
  /** The database that `env.D1` of the function is unless it declares another. */
  ownOf(functionId: string): DatabaseRecord | undefined;
  /** @throws WrkstError ERR_CONFLICT where the account has a live one of that name */
  create(database: NewDatabase): DatabaseRecord;
  remove(id: string): void;
  /** Brings a removed one back. @throws WrkstError ERR_CONFLICT where its name was taken since */
  restore(id: string): DatabaseRecord;
  /** The database is held by the object of that epoch, a higher one, from now on. */
  raiseEpoch(id: string, epoch: number): void;
  /** Of a removed one nothing is known from then on. Its files are gone. */
  forget(id: string): void;
  share(id: string, functionId: string, by: Actor): void;
  /** Whether it was shared. */
  unshare(id: string, functionId: string): boolean;
  /** Ids of the functions that an operator shared it with. */
  shares(id: string): string[];
  /** Live functions whose serving versions are bound to it, by name. */
  uses(id: string): DatabaseUse[];
  /** The id that a function of the account has, or will have. */
  functionId(account: string, name: string): string;
  /** The id that was reserved for a function that is about to be made. */
  reservedId(account: string, name: string): string | undefined;
  /** Finds, or makes, what the bindings of versions stand for. See `BindingsWanted`. */
  resolve(wanted: BindingsWanted[]): BindingsFound[];
  /** All that the work writes, or nothing. */
  together<T>(work: () => T): T;
  /** What the bindings of a version stand for, `D1` among them, without a look at who has to agree to it. */
  boundTo(functionId: string, versionId: string): Record<string, RoutedDatabase | null>;
}

interface DatabaseRow {
  id: string;
  account: string;
  name: string;
  owner: string | null;
  default_for: string | null;
  declared: number;
  epoch: number;
  created_at: number;
  removed_at: number | null;
  removed_with: number;
}

export interface DatabaseDeps {
  db: Db;
  now: () => number;
  newId: () => string;
  settings: Settings;
}

/** Rows, of which a switch changes some in its own transaction. */
export type DatabaseRows = ReturnType<typeof createDatabaseRows>;

export function createDatabaseRows({ db, now, newId }: Omit<DatabaseDeps, "settings">) {
  const one = db.prepare<[string], DatabaseRow>("SELECT * FROM databases WHERE id = ?");
  const named = db.prepare<[string, string], DatabaseRow>(
    "SELECT * FROM databases WHERE account = ? AND name = ? AND removed_at IS NULL",
  );
  const defaultOf = db.prepare<[string, string], DatabaseRow>(
    "SELECT * FROM databases WHERE owner = ? AND default_for = ? AND removed_at IS NULL",
  );
  const live = db.prepare<[string | null], DatabaseRow>(
    "SELECT * FROM databases WHERE account = ifnull(?, account) AND removed_at IS NULL ORDER BY name, account",
  );
  const removed = db.prepare<[string | null], DatabaseRow>(
    "SELECT * FROM databases WHERE account = ifnull(?, account) AND removed_at IS NOT NULL ORDER BY removed_at DESC, name",
  );
  const insert = db.prepare(
    "INSERT INTO databases (id, account, name, owner, default_for, declared, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const declare = db.prepare("UPDATE databases SET declared = 1 WHERE id = ? AND declared = 0");
  const remove = db.prepare(
    "UPDATE databases SET removed_at = ?, removed_with = ? WHERE id = ? AND removed_at IS NULL",
  );
  const restore = db.prepare(
    `UPDATE databases SET removed_at = NULL, removed_with = 0, name = ?, default_for = ?,
       owner = (SELECT id FROM functions f WHERE f.id = owner UNION SELECT id FROM reserved_functions r WHERE r.id = owner)
     WHERE id = ?`,
  );
  const raise = db.prepare("UPDATE databases SET epoch = @epoch WHERE id = @id AND epoch < @epoch");

  const byId = (id: string) => recordOf(one.get(id));
  const byName = (account: string, name: string) => recordOf(named.get(account, name));

  function create(wanted: NewDatabase): DatabaseRecord {
    const { account, name, owner, defaultFor = null, isDeclared = true } = wanted;
    if (named.get(account, name)) throw nameConflict(name);
    const id = newId();
    insert.run(id, account, name, owner, defaultFor, Number(isDeclared), now());
    return byId(id)!;
  }

  return {
    byId,
    byName,
    create,
    all: (account?: string) => live.all(account ?? null).map((row) => recordOf(row)!),
    removed: (account?: string) => removed.all(account ?? null).map((row) => recordOf(row)!),
    defaultOf: (owner: string, binding: string) => recordOf(defaultOf.get(owner, binding.toLowerCase())),
    declare: (id: string) => void declare.run(id),
    remove: (id: string, removedWith = false) => {
      remove.run(now(), Number(removedWith), id);
    },
    /** Under another name where that is given. Its owner may have got another default meanwhile. */
    restore: (id: string, name?: string) => {
      const row = one.get(id);
      if (!row) throw new TypeError(`there is no database ${id}`);
      const another = row.owner !== null && row.default_for !== null && defaultOf.get(row.owner, row.default_for);
      restore.run(name ?? row.name, another ? null : row.default_for, id);
      return byId(id)!;
    },
    raiseEpoch: (id: string, epoch: number) => {
      if (!raise.run({ id, epoch }).changes)
        throw new TypeError(`there is no database ${id} before the epoch ${epoch}`);
    },
  };
}

/** What SQL answers about a function that serves: of versions that share the traffic, any. */
const SERVES = `f.removed_at IS NULL AND f.state <> 'name-taken' AND
  (b.version_id = f.latest OR b.version_id IN (SELECT value ->> 'version' FROM json_each(f.split)))`;

export function createDatabases(
  deps: DatabaseDeps & { rows: DatabaseRows; functions: Pick<FunctionRows, "owner" | "byId">; events: Events },
): { records: DatabaseRecords; bindings: BindingRows } {
  const { db, now, rows, settings } = deps;
  const bindings = createBindings(deps);
  const share = db.prepare("INSERT OR IGNORE INTO database_shares VALUES (?, ?, ?, ?)");
  const forget = db.prepare("DELETE FROM databases WHERE id = ? AND removed_at IS NOT NULL");
  const unshare = db.prepare("DELETE FROM database_shares WHERE database_id = ? AND function_id = ?");
  const shares = db
    .prepare<[string], string>(
      "SELECT function_id FROM database_shares WHERE database_id = ? ORDER BY created_at, function_id",
    )
    .pluck();
  const uses = db.prepare<[string, string], { id: string; name: string; bindings: string }>(
    `SELECT id, name, json_group_array(DISTINCT binding) AS bindings FROM (
       SELECT f.id, f.name, b.binding FROM version_databases b JOIN functions f ON f.id = b.function_id
         WHERE b.database_id = ? AND ${SERVES}
       UNION ALL SELECT f.id, f.name, 'D1' FROM databases d JOIN functions f ON f.id = d.owner
         WHERE d.id = ? AND d.default_for = 'd1' AND f.removed_at IS NULL AND f.latest IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM version_databases WHERE version_id = f.latest AND binding = 'D1'))
     GROUP BY id ORDER BY name`,
  );

  const raised = <T>(result: T): T => {
    settings.bumpRouteGeneration();
    return result;
  };
  const records: DatabaseRecords = {
    byId: rows.byId,
    byName: rows.byName,
    all: rows.all,
    removed: rows.removed,
    create: (database) => raised(rows.create(database)),
    raiseEpoch: (id, epoch) => raised(rows.raiseEpoch(id, epoch)),
    forget: (id) => void forget.run(id),
    ownOf: (functionId) => rows.defaultOf(functionId, "D1"),
    remove: (id) => raised(rows.remove(id)),
    restore(id) {
      const found = rows.byId(id);
      if (found && rows.byName(found.account, found.name)) throw nameConflict(found.name);
      return raised(rows.restore(id));
    },
    share: (id, functionId, by) => raised(void share.run(id, functionId, by.name, now())),
    unshare: (id, functionId) => raised(unshare.run(id, functionId).changes > 0),
    shares: (id) => shares.all(id) as string[],
    uses(id) {
      const owner = rows.byId(id)?.owner;
      return uses.all(id, id).map((use) => {
        const names = fromJson<string[]>(use.bindings).sort();
        return { function: use.name, bindings: names, isOwner: use.id === owner };
      });
    },
    functionId: bindings.functionId,
    reservedId: bindings.reservedId,
    resolve: (wanted) => (wanted.length ? raised(bindings.resolve(wanted)) : []),
    together: (work) => db.transaction(work).immediate(),
    boundTo: bindings.boundTo,
  };
  return { records, bindings };
}

function nameConflict(name: string): WrkstError {
  return new WrkstError("ERR_CONFLICT", `the account has a database "${name}" already`, {
    hint: "choose another name, or remove the other one first",
  });
}

function recordOf(row: DatabaseRow | undefined): DatabaseRecord | undefined {
  if (!row) return undefined;
  const { id, account, name, owner, epoch } = row;
  return {
    ...{ id, account, name, owner, epoch },
    createdAt: row.created_at,
    removedAt: row.removed_at,
    isDeclared: row.declared === 1,
    removedWith: row.removed_with === 1,
  };
}
