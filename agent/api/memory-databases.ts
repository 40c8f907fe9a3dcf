// Databases in memory, for tests of what stands in front of them: real SQLite, no objects, no functions that use them.

import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { D1Meta, D1Statement, D1Value } from "../../runtime/d1/wire.js";
import { WrkstError } from "../errors.js";
import {
  type Actor,
  type Database,
  type DatabaseActivity,
  type DatabaseDetail,
  type DatabaseRef,
  type DatabaseSnapshot,
  type DatabaseUse,
  isDatabaseName,
  type MigrationSet,
} from "../model.js";
import { type Databases, IMPORT_LIMIT, type QueryResult } from "../reconcile/databases.js";
import { type Db, openSqlite } from "../sqlite.js";

interface Held extends Database {
  db: Db;
  uses: DatabaseUse[];
  shares: Set<string>;
  snapshots: (DatabaseSnapshot & { bytes: Buffer })[];
  activity: DatabaseActivity;
  set: MigrationSet | null;
}

export interface MemoryDatabases extends Databases {
  held: Held[];
  /** What was written, and by whom. */
  writes: { what: string; database: string; by: Actor }[];
  /** A database with what it needs to be tested. */
  seed(account: string, name: string, more?: Partial<Pick<Held, "uses" | "activity" | "set" | "id">>): Held;
  /** Until it resolves, no import and no export ends. */
  gate: Promise<void>;
}

const NOTHING: DatabaseActivity = {
  ...{
    since: 0,
    queries: 0,
    writes: 0,
    errors: 0,
    buckets: [],
    rowsRead: 0,
    rowsWritten: 0,
    milliseconds: 0,
    slowest: [],
  },
};

/** `dir`: for the files that it hands out. */
export function createMemoryDatabases(dir: string, now: () => number = Date.now): MemoryDatabases {
  const held: Held[] = [];
  const writes: MemoryDatabases["writes"] = [];
  const matches = ({ account, database }: DatabaseRef) => {
    const own = held.filter((one) => one.account === account);
    return [...own.filter(({ id }) => id === database), ...own.filter(({ name }) => name === database)];
  };
  const look = (of: DatabaseRef) => matches(of).find(({ removedAt }) => removedAt === null);
  const expect = (of: DatabaseRef): Held => look(of) ?? unknown(of);
  const note = (what: string, { id }: Database, by: Actor) => void writes.push({ what, database: id, by });
  const keep = (one: Held, cause: DatabaseSnapshot["cause"]): DatabaseSnapshot => {
    const at = now() + one.snapshots.length;
    const id = `${at.toString(16).padStart(16, "0")}-${one.snapshots.length.toString(16).padStart(8, "0")}`;
    const bytes = one.db.serialize();
    one.snapshots.unshift({ id, database: one.id, at, cause, size: bytes.length, migrations: appliedIn(one), bytes });
    return shown(one.snapshots[0]!);
  };
  const snapshotOf = (of: DatabaseRef, id: string) => {
    const found = expect(of).snapshots.find((one) => one.id === id);
    if (found) return found;
    throw new WrkstError("ERR_NOT_FOUND", `database "${of.database}" has no snapshot "${id}"`);
  };

  const databases: MemoryDatabases = {
    held,
    writes,
    gate: Promise.resolve(),
    seed(account, name, more = {}) {
      const one: Held = {
        ...{ id: randomUUID(), account, name, owner: null, epoch: 1, createdAt: now(), removedAt: null },
        ...{ db: openSqlite(":memory:"), uses: [], shares: new Set(), snapshots: [], activity: NOTHING, set: null },
        ...more,
      };
      held.push(one);
      return one;
    },
    list: (account) =>
      held
        .filter((one) => one.account === account && one.removedAt === null)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(detailOf),
    find: (of) => {
      const found = look(of);
      return found && detailOf(found);
    },
    async detail(of) {
      const found = expect(of);
      const sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
      return { ...detailOf(found), tables: Number(found.db.prepare(sql).pluck().get()) };
    },
    activity: async (of) => expect(of).activity,
    create(account, name, by) {
      if (!isDatabaseName(name)) throw new WrkstError("ERR_INVALID", `expected the name of a database, got "${name}"`);
      if (look({ account, database: name })) throw taken(name);
      const made = databases.seed(account, name);
      note("create", made, by);
      return detailOf(made);
    },
    async remove(of, { force }, by) {
      const found = expect(of);
      const users = found.uses.map((use) => `"${use.function}"`);
      if (users.length && !force) {
        throw new WrkstError("ERR_CONFLICT", `database "${found.name}" is bound to ${users.join(", ")}`, {
          hint: "deploy them without it first, or force the removal",
        });
      }
      found.removedAt = now();
      note("remove", found, by);
    },
    async undelete(of, by) {
      const found = matches(of).findLast(({ removedAt }) => removedAt !== null) ?? unknown(of);
      if (look({ account: of.account, database: found.name })) throw taken(found.name);
      found.removedAt = null;
      note("undelete", found, by);
      return detailOf(found);
    },
    removed: (account) => held.filter((one) => one.account === account && one.removedAt !== null).map(detailOf),
    async share(of, functionName, by) {
      expect(of).shares.add(functionName);
      note(`share ${functionName}`, expect(of), by);
    },
    async unshare(of, functionName, by) {
      expect(of).shares.delete(functionName);
      note(`unshare ${functionName}`, expect(of), by);
    },
    async query(of, statements, by) {
      const { db } = expect(of);
      note("query", expect(of), by);
      return inTransaction(db, () => statements.map((statement) => runOne(db, statement)));
    },
    async script(of, sql, by) {
      const { db } = expect(of);
      note("script", expect(of), by);
      return inTransaction(db, () => runScript(db, sql));
    },
    async import(of, file, by) {
      const one = expect(of);
      await databases.gate;
      const sql = readFileSync(file, "utf8");
      if (sql.length > IMPORT_LIMIT) throw new WrkstError("ERR_TOO_LARGE", "the file is too large");
      const { id: snapshot } = keep(one, "import");
      const results = inTransaction(one.db, () => runScript(one.db, sql));
      note("import", one, by);
      return { queries: results.length, meta: results.at(-1)?.meta ?? metaOf(one.db, 0, 0, 0), snapshot };
    },
    async export(of, { noSchema, noData, tables = [] }) {
      const { db } = expect(of);
      await databases.gate;
      const file = join(dir, `${randomUUID()}.sql`);
      writeFileSync(file, dumpOf(db, { schema: !noSchema, rows: !noData, tables }));
      return file;
    },
    snapshots: (of) => expect(of).snapshots.map(shown),
    snapshot: async (of, cause, by) => {
      if (by) note("snapshot", expect(of), by);
      return keep(expect(of), cause);
    },
    snapshotFile(of, id) {
      const file = join(dir, `${randomUUID()}.sqlite`);
      writeFileSync(file, snapshotOf(of, id).bytes);
      return file;
    },
    bookmark(of, time = now() + 1000) {
      const found = expect(of).snapshots.find(({ at }) => at <= time);
      if (found) return shown(found);
      throw new WrkstError("ERR_NOT_FOUND", `database "${of.database}" has no snapshot that old`);
    },
    async restore(of, to, by) {
      const one = expect(of);
      const wanted = snapshotOf(of, "snapshot" in to ? to.snapshot : databases.bookmark(of, to.time).id);
      const before = keep(one, "restore");
      one.db = openSqlite(wanted.bytes as unknown as string);
      one.epoch++;
      note("restore", one, by);
      return { restored: shown(wanted), before };
    },
    async migrations(of) {
      const one = expect(of);
      const applied = appliedIn(one);
      const pending = (one.set?.migrations ?? []).map(({ name }) => name).filter((name) => !applied.includes(name));
      return { applied: applied.map((name) => ({ name, at: "2026-01-01 00:00:00" })), pending, set: one.set };
    },
    async migrate(of, by) {
      const one = expect(of);
      const { pending } = await databases.migrations(of);
      if (pending.length === 0) return { applied: [], snapshot: null };
      const { id: snapshot } = keep(one, "migration");
      one.db.exec(
        "CREATE TABLE IF NOT EXISTS d1_migrations(id INTEGER PRIMARY KEY, name TEXT UNIQUE, applied_at TIMESTAMP)",
      );
      for (const { name, sql } of one.set?.migrations ?? []) if (pending.includes(name)) applyOne(one, name, sql);
      note("migrate", one, by);
      return { applied: pending, snapshot };
    },
  };
  return databases;
}

function unknown({ database }: DatabaseRef): never {
  throw new WrkstError("ERR_DATABASE_NOT_FOUND", `there is no database "${database}"`, { hint: "see: wrkst d1 list" });
}

const taken = (name: string) => new WrkstError("ERR_CONFLICT", `there is a database "${name}" already`);

const shown = ({ bytes: _, ...snapshot }: DatabaseSnapshot & { bytes: Buffer }): DatabaseSnapshot => snapshot;

function detailOf({ db, uses, shares, snapshots: _, activity: __, set: ___, ...database }: Held): DatabaseDetail {
  const shared = [...shares].map((name) => ({ function: name, bindings: [], isOwner: false }));
  return { ...database, size: db.serialize().length, tables: null, uses: [...uses, ...shared] };
}

function appliedIn({ db }: Held): string[] {
  const has = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'd1_migrations'").get();
  return has ? (db.prepare("SELECT name FROM d1_migrations ORDER BY name").pluck().all() as string[]) : [];
}

function applyOne({ db, set }: Held, name: string, sql: string): void {
  try {
    inTransaction(db, () => {
      runScript(db, sql);
      return db.prepare("INSERT INTO d1_migrations (name, applied_at) VALUES (?, CURRENT_TIMESTAMP)").run(name);
    });
  } catch (cause) {
    const position = { file: `${set?.folder}/${name}`, line: 1 };
    throw new WrkstError("ERR_MIGRATION", (cause as Error).message, { position, cause });
  }
}

function inTransaction<T>(db: Db, work: () => T): T {
  try {
    return db.transaction(work)();
  } catch (cause) {
    const { message, code = "SQLITE_ERROR" } = cause as Error & { code?: string };
    throw new WrkstError("ERR_SQL", `${message}: ${code}`, { cause });
  }
}

function runOne(db: Db, { sql, params = [] }: D1Statement): QueryResult {
  const begun = performance.now();
  const statement = db.prepare(sql);
  const bound = params.map((value) => (Array.isArray(value) ? Buffer.from(value) : value));
  if (!statement.reader) {
    const { changes, lastInsertRowid } = statement.run(...bound);
    const meta = metaOf(db, changes, Number(lastInsertRowid), performance.now() - begun);
    return { columns: [], rows: [], meta };
  }
  const rows = (statement.raw().all(...bound) as unknown[][]).map((row) => row.map(cellOf));
  return {
    columns: statement.columns().map(({ name }) => name),
    rows,
    meta: { ...metaOf(db, 0, 0, performance.now() - begun), rows_read: rows.length },
  };
}

const cellOf = (cell: unknown) => (cell instanceof Uint8Array ? [...cell] : cell) as D1Value;

/** A piece that is no whole statement goes on behind the next semicolon: quotes, comments and triggers hold some. */
function runScript(db: Db, sql: string): QueryResult[] {
  const results: QueryResult[] = [];
  let held = "";
  for (const piece of sql.split(/(?<=;)/)) {
    held += piece;
    if (held.trim() === "" || held.trim() === ";") continue;
    if (isWhole(db, held)) {
      results.push(runOne(db, { sql: held }));
      held = "";
    }
  }
  if (held.replace(/--.*/g, "").trim() !== "") results.push(runOne(db, { sql: held }));
  return results;
}

function isWhole(db: Db, sql: string): boolean {
  try {
    db.prepare(sql);
    return true;
  } catch (error) {
    return !/incomplete input|unrecognized token|contains no statements/.test((error as Error).message);
  }
}

function metaOf(db: Db, changes: number, lastRow: number, duration: number): D1Meta {
  const size = Number(db.pragma("page_count", { simple: true })) * Number(db.pragma("page_size", { simple: true }));
  return {
    ...{ served_by: "memory", served_by_primary: true, duration, timings: { sql_duration_ms: duration }, changes },
    ...{ last_row_id: lastRow, changed_db: changes > 0, size_after: size, rows_read: 0, rows_written: changes },
  };
}

interface DumpOptions {
  schema: boolean;
  rows: boolean;
  tables: string[];
}

function dumpOf(db: Db, { schema, rows, tables }: DumpOptions): string {
  const sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
  const found = db.prepare(sql).all() as { name: string; sql: string }[];
  const wanted = found.filter(({ name }) => tables.length === 0 || tables.includes(name));
  const lines = wanted.flatMap(({ name, sql: text }) => {
    const cells = rows ? (db.prepare(`SELECT * FROM "${name}"`).raw().all() as unknown[][]) : [];
    const inserts = cells.map((row) => `INSERT INTO "${name}" VALUES(${row.map(quoted).join(",")});`);
    return [...(schema ? [`${text};`] : []), ...inserts];
  });
  return ["PRAGMA defer_foreign_keys=TRUE;", ...lines, ""].join("\n");
}

function quoted(cell: unknown): string {
  if (cell === null || typeof cell === "number") return String(cell);
  return cell instanceof Uint8Array
    ? `X'${Buffer.from(cell).toString("hex")}'`
    : `'${String(cell).replaceAll("'", "''")}'`;
}
