// Opens SQLite files. Invariant: what is opened or prepared here stays in memory as long as the process. From 24.19 on, Node
// aborts when its garbage collector takes a database or a statement of better-sqlite3 12 while no JavaScript runs; whoever
// prepares statements does so when a file is opened, so that there are few.

import { rmSync } from "node:fs";
import Database from "better-sqlite3";
import { WrkstError } from "./errors.js";

export type Db = Database.Database;
export const { SqliteError } = Database;

const kept: unknown[] = [];

/** As `new Database` of better-sqlite3. */
export function openSqlite(file: string, options?: Database.Options): Db {
  const db = new Database(file, options);
  kept.push(db);
  const prepare = db.prepare.bind(db);
  const prepareKept = (sql: string) => {
    const statement = prepare(sql);
    kept.push(statement);
    return statement;
  };
  return Object.assign(db, {
    prepare: prepareKept,
    pragma: (source: string, { simple = false }: Database.PragmaOptions = {}) => {
      const statement = prepareKept(`PRAGMA ${source}`);
      if (!statement.reader) return void statement.run();
      return simple ? statement.pluck().get() : statement.all();
    },
  });
}

/** A file whose loss loses nothing that serves. */
export interface Expendable {
  schema: string;
  /** For messages: `kept logs`. */
  what: string;
  /** Told that it was damaged and made anew. */
  onDamage(message: string): void;
}

/** Opens such a file; no commit waits for the disk. One that is damaged begins anew. @throws WrkstError ERR_STORE */
export function openExpendable(file: string, { schema, what, onDamage }: Expendable): Db {
  try {
    return withSchema(file, schema);
  } catch (error) {
    if (!(error instanceof SqliteError) || !/CORRUPT|NOTADB/.test(error.code)) throw unusable(file, what, error);
    onDamage(`the ${what} "${file}" were damaged and begin anew: ${error.message}`);
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
    return withSchema(file, schema);
  }
}

function withSchema(file: string, schema: string): Db {
  const db = openSqlite(file);
  try {
    db.pragma("journal_mode = WAL");
    // What a crash of the machine takes are the last lines.
    db.pragma("synchronous = NORMAL");
    db.exec(schema);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function unusable(file: string, what: string, cause: unknown): WrkstError {
  return new WrkstError("ERR_STORE", `cannot use the ${what} "${file}": ${(cause as Error).message}`, {
    cause,
    hint: "check that the folder can be read and written by the agent",
  });
}
