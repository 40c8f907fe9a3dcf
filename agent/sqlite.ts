// Opens SQLite files. Invariant: what is opened or prepared here stays in memory as long as the process. From 24.19 on, Node
// aborts when its garbage collector takes a database or a statement of better-sqlite3 12 while no JavaScript runs; whoever
// prepares statements does so when a file is opened, so that there are few.

import Database from "better-sqlite3";

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
