// What can be done with databases by hand, and what a deploy asks of them. The contract between the API, the passes and what
// does it. Types only.
import type { D1Meta, D1Rows, D1Statement } from "../../runtime/d1/wire.js";
import type {
  Actor,
  DatabaseActivity,
  DatabaseDetail,
  DatabaseRef,
  DatabaseSnapshot,
  MigrationSet,
  MigrationState,
} from "../model.js";

export type QueryResult = D1Rows & { meta: D1Meta };

/** Which state a restore goes back to: a snapshot by id (bookmark), or the newest one at or before a time. */
export type RestorePoint = { snapshot: string } | { time: number };

/**
 * All throw ERR_DATABASE_NOT_FOUND for a database that the account does not have, the same for a foreign one. Writes are
 * audit events with the actor. Whoever calls has the right to.
 */
export interface Databases {
  /** Those that were made by hand or declared, and those own ones that hold data; by name. */
  list(account: string): DatabaseDetail[];
  find(of: DatabaseRef): DatabaseDetail | undefined;
  /** As `find`, with the tables counted. @throws WrkstError ERR_DATABASE_NOT_FOUND */
  detail(of: DatabaseRef): Promise<DatabaseDetail>;
  /** Of the last 24 hours, up to now. What the platform asks for its own sake does not count. */
  activity(of: DatabaseRef): Promise<DatabaseActivity>;
  /** @throws WrkstError ERR_CONFLICT where the account has one of that name, ERR_INVALID */
  create(account: string, name: string, by: Actor): DatabaseDetail;
  /** Kept for RETENTION. ERR_CONFLICT, with the functions named, where one is bound to it and `force` is not set. */
  remove(of: DatabaseRef, options: { force: boolean }, by: Actor): Promise<void>;
  /** Brings the newest removed one of that id or name back. ERR_CONFLICT where its name was taken since. */
  undelete(of: DatabaseRef, by: Actor): Promise<DatabaseDetail>;
  removed(account: string): DatabaseDetail[];
  /** Lets a function of the same account use it, or no longer. */
  share(of: DatabaseRef, functionName: string, by: Actor): Promise<void>;
  unshare(of: DatabaseRef, functionName: string, by: Actor): Promise<void>;

  /** One transaction. @throws WrkstError ERR_SQL with SQLite's words */
  query(of: DatabaseRef, statements: D1Statement[], by: Actor): Promise<QueryResult[]>;
  /** Text of several statements, one transaction. @throws WrkstError ERR_SQL with the statement and its line */
  script(of: DatabaseRef, sql: string, by: Actor): Promise<QueryResult[]>;
  /** A file of SQL; a snapshot is taken first. ERR_TOO_LARGE above `IMPORT_LIMIT`. */
  import(of: DatabaseRef, file: string, by: Actor): Promise<{ queries: number; meta: D1Meta; snapshot: string }>;
  /** Writes SQL to a new file and answers its path; the caller removes it. */
  export(of: DatabaseRef, options: { noSchema?: boolean; noData?: boolean; tables?: string[] }): Promise<string>;

  /** Newest first. */
  snapshots(of: DatabaseRef): DatabaseSnapshot[];
  snapshot(of: DatabaseRef, cause: DatabaseSnapshot["cause"], by?: Actor): Promise<DatabaseSnapshot>;
  /** Path of a snapshot's file, a whole SQLite database. */
  snapshotFile(of: DatabaseRef, id: string): string;
  /** The state now, as a bookmark: the newest snapshot at or before the time. ERR_NOT_FOUND where there is none. */
  bookmark(of: DatabaseRef, time?: number): DatabaseSnapshot;
  /** What there was before is a snapshot of its own. Resolves when functions see the restored state, and only that. */
  restore(
    of: DatabaseRef,
    to: RestorePoint,
    by: Actor,
  ): Promise<{ restored: DatabaseSnapshot; before: DatabaseSnapshot }>;

  /** Against the migrations of the version that serves the owner. */
  migrations(of: DatabaseRef): Promise<MigrationState & { set: MigrationSet | null }>;
  /** Applies what is pending, each in a transaction, after a snapshot and a rehearsal on it. @throws WrkstError ERR_MIGRATION with file and line; nothing was applied, or what was before it stays */
  migrate(of: DatabaseRef, by: Actor): Promise<{ applied: string[]; snapshot: string | null }>;
}

/** Bytes of SQL that `import` takes. */
export const IMPORT_LIMIT = 512 * 2 ** 20;
