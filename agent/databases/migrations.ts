// Which migrations of a set are to be applied, and how that is said to the database. Pure; the table is wrangler's own, so
// that either may go on where the other was.

import type { D1Script, D1Statement } from "../../runtime/d1/wire.js";
import { WrkstError } from "../errors.js";
import type { Migration, MigrationSet, Warning } from "../model.js";
import { firstWordFrom, placeOf } from "./sql-text.js";

export function createTable(table: string): D1Statement {
  return {
    sql: `CREATE TABLE IF NOT EXISTS ${quoted(table)}(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE,
		applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`,
  };
}

/** Answers one row with a 1 where the table is there. */
export function hasTable(table: string): D1Statement {
  return { sql: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", params: [table] };
}

/** Rows of name and time. */
export function listApplied(table: string): D1Statement {
  return { sql: `SELECT name, applied_at FROM ${quoted(table)} ORDER BY name` };
}

/** The migration and the note that it was applied, as one transaction. One that is only comments is but noted. */
export function scriptOf({ table }: MigrationSet, { name, sql }: Migration): Omit<D1Script, "object"> {
  const note = { sql: `INSERT INTO ${quoted(table)} (name) VALUES (?)`, params: [name] };
  return { sql, notes: [note], quiet: true };
}

/** In the order of the set. */
export function pendingOf(set: Pick<MigrationSet, "migrations">, applied: readonly string[]): Migration[] {
  const known = new Set(applied);
  return set.migrations.filter(({ name }) => !known.has(name));
}

/** Files that were applied as something else: the database will not see the change. */
export function warnOfChanged(
  set: MigrationSet,
  before: MigrationSet | undefined,
  applied: readonly string[],
): Warning[] {
  const old = new Map(before?.migrations.map(({ name, sql }) => [name, sql]));
  return set.migrations
    .filter(({ name, sql }) => applied.includes(name) && old.has(name) && old.get(name) !== sql)
    .map(({ name }) => ({
      message: `the migration "${name}" has changed since it was applied: the database stays as it is; add a new migration instead`,
      position: { file: pathOf(set, name) },
    }));
}

/** Names that the database has and the set does not: its schema is newer than the code. */
export function beyond(set: Pick<MigrationSet, "migrations">, applied: readonly string[]): string[] {
  const known = new Set(set.migrations.map(({ name }) => name));
  return applied.filter((name) => !known.has(name));
}

/** Where and why a migration failed. `offset`: where its statement begins, in UTF-16 units. */
export function migrationError(
  set: MigrationSet,
  { name, sql }: Migration,
  failure: { error: string; offset: number },
): WrkstError {
  const place = placeOf(sql, firstWordFrom(sql, failure.offset) ?? failure.offset);
  return new WrkstError("ERR_MIGRATION", `the migration "${name}" failed: ${failure.error}`, {
    position: { file: pathOf(set, name), ...place },
    hint: "mend the statement and push again; the database is as it was before this file, and nothing changes for callers",
  });
}

/** Why one was not applied at all. */
export function rehearsalError(set: MigrationSet, { name }: Migration, reason: string): WrkstError {
  const message = `the migration "${name}" would hold up every function: in its rehearsal on a copy ${reason}`;
  return new WrkstError("ERR_MIGRATION", message, {
    position: { file: pathOf(set, name) },
    hint: "split it into several files, or do the work in steps by: wrkst d1 execute; nothing was applied",
  });
}

function pathOf({ folder }: MigrationSet, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
