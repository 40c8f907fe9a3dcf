// What the bindings of versions stand for: found by id, then by name, otherwise made. Once found it stays, for as long as the database
// is there; whether the function may still use it is asked again with every deployment.

import { WrkstError } from "../errors.js";
import { type Actor, type D1Binding, type Database, defaultDatabaseName, type RoutedDatabase } from "../model.js";
import type { DatabaseDeps, DatabaseRecord, DatabaseRows } from "./databases.js";
import type { Events } from "./events.js";
import type { FunctionRows } from "./functions.js";

/** A version that is about to be deployed. */
export interface BindingsWanted {
  function: { id: string; account: string; name: string };
  /** Id of the version. */
  version: string;
  declared: D1Binding[];
  /** Names of functions that it lets use its databases, once it serves. */
  share: string[];
  /** A client gave the ids: one that is not known is refused, where no name stands beside it. */
  isStrict: boolean;
  /** Whose word it is; a source has none. */
  by?: Actor;
}

/** In the order of what was wanted. `created`: declared, and empty. */
export type BindingsFound = { created: Database[] } | { error: WrkstError; binding: string };

/** The binding that every version has. */
export const OWN_BINDING = "D1";

/** What a switch does in its own transaction. */
export interface BindingRows {
  functionId(account: string, name: string): string;
  reservedId(account: string, name: string): string | undefined;
  resolve(wanted: BindingsWanted[]): BindingsFound[];
  boundTo(functionId: string, versionId: string): Record<string, RoutedDatabase | null>;
  /** The id that was reserved, which is a function's from now on; undefined where none was. */
  takeReserved(account: string, name: string): string | undefined;
  /** Makes the database that `env.D1` is, where there is none. */
  ensureOwn(function_: BindingsWanted["function"]): void;
  /** With their owner. */
  removeOf(functionId: string): void;
  restoreOf(functionId: string): void;
  /** Forgets the ids that were reserved for functions that did not come to be, but for the names spared, and removes what they own. */
  dropReserved(account: string, spared: readonly string[]): void;
}

/** Whether the function `f` may use the database `d` of another one: by an operator's word, or by that of the version that serves
 * its owner. */
export const IS_SHARED = `(
  EXISTS (SELECT 1 FROM database_shares WHERE database_id = d.id AND function_id = f.id) OR
  EXISTS (SELECT 1 FROM functions o JOIN versions v ON v.id = o.latest, json_each(v.manifest, '$.share') s
    WHERE o.id = d.owner AND o.removed_at IS NULL AND s.value IN (f.name, '*')))`;

interface BoundRow {
  binding: string;
  id: string;
  name: string | null;
  epoch: number | null;
  removed_at: number | null;
}

export function createBindings(
  deps: DatabaseDeps & { rows: DatabaseRows; functions: Pick<FunctionRows, "owner" | "byId">; events: Events },
): BindingRows {
  const { db, newId, rows, functions, events } = deps;
  const bound = db.prepare<[string], BoundRow>(
    `SELECT b.binding, b.database_id AS id, d.name, d.epoch, d.removed_at FROM version_databases b
     LEFT JOIN databases d ON d.id = b.database_id WHERE b.version_id = ?`,
  );
  const bind = db.prepare("INSERT OR REPLACE INTO version_databases VALUES (?, ?, ?, ?)");
  const isShared = db
    .prepare<{ id: string; functionId: string; name: string }, number>(
      `SELECT ${IS_SHARED} FROM databases d, (SELECT @functionId AS id, @name AS name) f WHERE d.id = @id`,
    )
    .pluck();
  const owned = db.prepare<[string], { id: string; removed_with: number }>(
    "SELECT id, removed_with FROM databases WHERE owner = ? ORDER BY created_at, id",
  );
  const reserved = db
    .prepare<[string, string], string>("SELECT id FROM reserved_functions WHERE account = ? AND name = ?")
    .pluck();
  const reserve = db.prepare("INSERT INTO reserved_functions VALUES (?, ?, ?)");
  const unreserve = db
    .prepare<[string, string], string>("DELETE FROM reserved_functions WHERE account = ? AND name = ? RETURNING id")
    .pluck();
  const allReserved = db.prepare<[string], { name: string; id: string }>(
    "SELECT name, id FROM reserved_functions WHERE account = ?",
  );

  const reservedId = (account: string, name: string) => reserved.get(account, name) as string | undefined;

  function functionId(account: string, name: string): string {
    const owner = functions.owner(name);
    if (owner?.account === account) return owner.id;
    const known = reservedId(account, name);
    if (known !== undefined) return known;
    const id = newId();
    reserve.run(account, name, id);
    return id;
  }

  /** Who shares comes first, so that what both declare is theirs; then by name, so that the order of a list decides nothing. */
  function resolve(wanted: BindingsWanted[]): BindingsFound[] {
    const found = new Map<BindingsWanted, BindingsFound>();
    const next = new Map(wanted.map((one) => [one.function.id, one.share]));
    const rank = (one: BindingsWanted) => `${one.share.length ? 0 : 1}${one.function.name}`;
    for (const one of [...wanted].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))) found.set(one, attempt(one, next));
    return wanted.map((one) => found.get(one)!);
  }

  /** What was made for a function of which one binding fails is not kept. */
  function attempt(wanted: BindingsWanted, next: Map<string, string[]>): BindingsFound {
    let binding = "";
    try {
      const created: Database[] = [];
      db.transaction(() => {
        if (functions.byId(wanted.function.id)?.removedAt != null) restoreOf(wanted.function.id);
        if (!wanted.declared.some((declared) => declared.binding === OWN_BINDING)) ensureOwn(wanted.function);
        const before = new Map(bound.all(wanted.version).map((row) => [row.binding, row.id]));
        for (const declared of wanted.declared) {
          binding = declared.binding;
          const known = live(before.get(binding));
          const database = known ?? find(wanted, declared, next, created);
          if (!mayUse(wanted, database, next)) throw notShared(wanted, database);
          rows.declare(database.id);
          bind.run(wanted.version, binding, wanted.function.id, database.id);
        }
      })();
      return { created };
    } catch (error) {
      if (error instanceof WrkstError) return { error, binding };
      throw error;
    }
  }

  function find(
    wanted: BindingsWanted,
    declared: D1Binding,
    next: Map<string, string[]>,
    created: Database[],
  ): DatabaseRecord {
    const { account, id: owner, name: functionName } = wanted.function;
    const { binding, databaseId, databaseName } = declared;
    const known = live(databaseId);
    if (known?.account === account) return known;
    if (databaseId !== undefined && databaseName === undefined && wanted.isStrict) throw unknown(databaseId);
    const name = databaseName ?? defaultDatabaseName(functionName, binding);
    const named = rows.byName(account, name);
    if (databaseName !== undefined) return named ?? note(wanted, rows.create({ account, name, owner }), created);
    const default_ = rows.defaultOf(owner, binding);
    if (default_) return default_;
    if (named && mayUse(wanted, named, next)) return named;
    const made = rows.create({ account, name: freeName(account, name), owner, defaultFor: binding.toLowerCase() });
    return note(wanted, made, created);
  }

  function note(wanted: BindingsWanted, database: DatabaseRecord, created: Database[]): DatabaseRecord {
    created.push(database);
    const message = `the empty database "${database.name}" (${database.id}) was created for "${wanted.function.name}"`;
    const { id: functionId, account, name } = wanted.function;
    const by = wanted.by ? { actor: wanted.by } : {};
    events.addEvent({ kind: "database.created", function: name, functionId, account, message, ...by });
    return database;
  }

  function live(id: string | undefined): DatabaseRecord | undefined {
    const found = id === undefined ? undefined : rows.byId(id);
    return found?.removedAt === null ? found : undefined;
  }

  function mayUse(wanted: BindingsWanted, { id, owner }: DatabaseRecord, next: Map<string, string[]>): boolean {
    const { id: functionId, name } = wanted.function;
    if (owner === null || owner === functionId) return true;
    const share = next.get(owner) ?? [];
    return share.includes(name) || share.includes("*") || isShared.get({ id, functionId, name }) === 1;
  }

  function notShared({ function: { name } }: BindingsWanted, database: DatabaseRecord): WrkstError {
    const owner = functions.byId(database.owner ?? "")?.name;
    const whose = owner === undefined ? "another function" : `the function "${owner}"`;
    return new WrkstError("ERR_CONFLICT", `the database "${database.name}" belongs to ${whose}`, {
      hint: `share it by [wrkst] share = ["${name}"] in the wrangler file of its owner, or choose another "database_name"`,
    });
  }

  function ensureOwn({ id, account, name }: BindingsWanted["function"]): void {
    if (rows.defaultOf(id, OWN_BINDING)) return;
    const wanted = freeName(account, defaultDatabaseName(name, OWN_BINDING));
    rows.create({ account, name: wanted, owner: id, defaultFor: OWN_BINDING.toLowerCase(), isDeclared: false });
  }

  /** A name that nobody chose gives way to one that somebody did. */
  function freeName(account: string, name: string): string {
    for (let count = 2, free = name; ; count++) {
      if (!rows.byName(account, free)) return free;
      free = `${name}-${count}`;
    }
  }

  function restoreOf(functionId: string): void {
    for (const { id, removed_with } of owned.all(functionId)) {
      const database = rows.byId(id);
      if (!database || database.removedAt === null || !removed_with) continue;
      rows.restore(id, freeName(database.account, database.name));
    }
  }

  function removeOf(functionId: string): void {
    for (const { id } of owned.all(functionId)) rows.remove(id, true);
  }

  function boundTo(functionId: string, versionId: string): Record<string, RoutedDatabase | null> {
    const own = rows.defaultOf(functionId, OWN_BINDING);
    const declared = bound.all(versionId).map((row) => [row.binding, routedOf(row, true)] as const);
    return {
      [OWN_BINDING]: own ? routedOf({ ...own, removed_at: null }, true) : null,
      ...Object.fromEntries(declared),
    };
  }

  return {
    functionId,
    reservedId,
    resolve: db.transaction(resolve).immediate,
    boundTo,
    takeReserved: (account, name) => unreserve.get(account, name) as string | undefined,
    ensureOwn,
    removeOf,
    restoreOf,
    dropReserved: (account, spared) => {
      const isSpared = new Set(spared);
      for (const { name, id } of allReserved.all(account)) {
        if (isSpared.has(name)) continue;
        unreserve.get(account, name);
        if (!functions.byId(id)) removeOf(id);
      }
    },
  };
}

/** A row whose database is forgotten has no name. */
export function routedOf(
  row: { id: string; name: string | null; epoch: number | null; removed_at: number | null },
  isOpen: boolean,
): RoutedDatabase {
  const { id, name, epoch, removed_at } = row;
  return { id, name: name ?? id, epoch: epoch ?? 1, isRemoved: removed_at !== null || name === null, isOpen };
}

function unknown(id: string): WrkstError {
  return new WrkstError("ERR_DATABASE_NOT_FOUND", `there is no database "${id.slice(0, 100)}"`, {
    hint: "see: wrkst d1 list",
  });
}
