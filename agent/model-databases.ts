// The words of databases. Types and pure functions; model.ts hands them on.

import { D1_BUCKETS, type D1ObjectStats } from "../runtime/d1/wire.js";

/** A D1 database as the registry keeps it. */
export interface Database {
  /** UUID, what clients call database_id. */
  id: string;
  account: string;
  /** Unique among the databases of the account that are not removed. */
  name: string;
  /** Id of the function whose declaration made it; null: made by hand, and open to all functions of the account. */
  owner: string | null;
  /** Counts the objects that have held it, from 1; see `objectName` in runtime/d1/wire.ts. */
  epoch: number;
  /** Milliseconds since 1970, as all times here. */
  createdAt: number;
  /** Kept for RETENTION. */
  removedAt: number | null;
}

/** Lower-case letters, digits, `-`, `_`; at most 64 characters, as wrangler's are. */
const DATABASE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,62}[a-zA-Z0-9])?$/;
export function isDatabaseName(name: string): boolean {
  return DATABASE_NAME.test(name);
}

/** Of a function's own database, `env.D1` without a declaration, and of a binding that names none: as wrangler would call it. */
export function defaultDatabaseName(functionName: string, binding: string): string {
  return `${functionName}-${binding.toLowerCase()}`;
}

export interface DatabaseRef {
  account: string;
  /** Id or name. */
  database: string;
}

/** A consistent copy of a database, a file of its own. */
export interface DatabaseSnapshot {
  /** What clients call a bookmark: sorts by time, `<16 hex of the milliseconds>-<8 hex>`. */
  id: string;
  database: string;
  at: number;
  cause: "schedule" | "migration" | "restore" | "request" | "import" | "removal" | "preview";
  /** Bytes. */
  size: number;
  /** Names of the migrations that had been applied. */
  migrations: string[];
}

/** A function that uses a database, under which names. */
export interface DatabaseUse {
  function: string;
  bindings: string[];
  isOwner: boolean;
}

/** What a binding of the version that serves stands for. */
export interface BoundDatabase {
  binding: string;
  id: string;
  name: string;
  /** Why its queries fail, as a sentence; absent where they are answered. */
  problem?: string;
}

/** A database as a route meets it. */
export interface RoutedDatabase {
  id: string;
  name: string;
  epoch: number;
  isRemoved: boolean;
  /** The function may use it: its own, open to all, or shared with it. */
  isOpen: boolean;
}

/** What happened in a database lately, summed over a day. */
export interface DatabaseActivity extends Omit<D1ObjectStats, "size"> {
  since: number;
}

export interface DatabaseDetail extends Database {
  /** Bytes of the file and its log; 0: nothing was ever written. */
  size: number;
  /** Tables that are not SQLite's or the platform's; null where it was not asked for. */
  tables: number | null;
  uses: DatabaseUse[];
}

/** A file of a migrations folder. */
export interface Migration {
  /** File name, which the order goes by. */
  name: string;
  sql: string;
}

/** What a version brings for one of its databases. */
export interface MigrationSet {
  binding: string;
  /** Folder relative to the source's root, for messages. */
  folder: string;
  /** Default `d1_migrations`. */
  table: string;
  migrations: Migration[];
}

export interface MigrationState {
  /** Sorted by name. */
  applied: { name: string; at: string }[];
  pending: string[];
}

/** Milliseconds that this share of what was counted took at most; null where that is beyond the last bound, or nothing was counted. */
export function quantileOf(buckets: readonly number[], share: number): number | null {
  const wanted = Math.ceil(buckets.reduce((sum, count) => sum + count, 0) * share);
  let seen = 0;
  for (const [index, count] of buckets.entries()) {
    seen += count;
    if (wanted > 0 && seen >= wanted) return D1_BUCKETS[index] ?? null;
  }
  return null;
}
