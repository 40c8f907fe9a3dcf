// The contract between agent and runtime about databases: what workerd's D1 client and the object say to each other, and
// the agent's calls. Types, constants and pure functions; type-checks under Node and workerd.

/** Never changed: objects lie in a folder of this name, and their ids are made with it. */
export const D1_UNIQUE_KEY = "wrkst-d1";

/**
 * Name of the object that holds a database. A restored database is another object: `epoch` counts from 1. What was opened
 * before may go on with the old one for as long as it is not retired, never with the new.
 */
export function objectName(database: string, epoch: number): string {
  return `${database}.${epoch}`;
}

const OBJECT_NAME = /^[0-9A-Za-z-]{1,64}\.[1-9][0-9]{0,9}$/;
export function isObjectName(name: string): boolean {
  return OBJECT_NAME.test(name);
}

/** A parameter or a cell as JSON carries it. A blob is its bytes as an array. */
export type D1Value = null | number | string | number[];

export interface D1Statement {
  sql: string;
  /** In their order; named and numbered parameters of SQL count from 1. */
  params?: D1Value[];
}

/** Of one statement; D1's names. Times in milliseconds, sizes in bytes. */
export interface D1Meta {
  served_by: string;
  served_by_region?: string;
  served_by_primary: true;
  duration: number;
  timings: { sql_duration_ms: number };
  /** Rows inserted, updated, deleted, by triggers and cascades too. */
  changes: number;
  last_row_id: number;
  changed_db: boolean;
  size_after: number;
  rows_read: number;
  rows_written: number;
}

export interface D1Rows {
  columns: string[];
  rows: D1Value[][];
}
export type D1Answer =
  | { success: true; results: D1Rows | Record<string, D1Value>[]; meta: D1Meta }
  /** `error` as D1 words it: `near "x": syntax error at offset 0: SQLITE_ERROR`. */
  | { success: false; error: string };

/** Calls of the agent, on the control socket; JSON both ways unless said otherwise. All POST but the stats. */
export const D1_CONTROL = {
  /** D1Call → D1CallAnswer. All statements in one transaction; any statement that D1 allows, and no limit of the result but MAX_CALL. */
  call: "/d1/call",
  /** D1Script → D1ScriptAnswer: SQL text of several statements, in one transaction. */
  script: "/d1/script",
  /** D1Dump → text: the database as SQL statements, streamed, one per line or more. A failure ends the stream abnormally. */
  dump: "/d1/dump",
  /** { objects: string[] } → {}: names. From now on they refuse every call, also those of isolates that were loaded with them, for as
   * long as the process lives; nothing is written to them. */
  retire: "/d1/retire",
  /** D1Pause → {}: functions are refused, the agent is not, until it is taken back or the process ends. */
  pause: "/d1/pause",
  /** D1Hold → D1Held: whatever may write to the object waits, or no longer. What the agent asks for its own sake does not. */
  hold: "/d1/hold",
  /** D1Succession → {}: all calls of the object go to another one, for as long as the process lives; those that wait do at once. */
  succeed: "/d1/succeed",
  /** GET → D1Stats: what happened since the last call. */
  stats: "/d1/stats",
} as const;

/** Bytes of JSON of one of these calls and of its answer, which the runtime holds in memory; a dump has no such limit. */
export const MAX_CALL = 64 * 2 ** 20;

export interface D1Call {
  /** As `objectName`. */
  object: string;
  statements: D1Statement[];
  /** The platform asks for its own sake: it is nobody's activity. */
  isOwn?: boolean;
}
/** `statement`: which one failed, from 0. Nothing was changed then. */
export type D1CallAnswer =
  | { ok: true; results: (D1Rows & { meta: D1Meta })[] }
  | { ok: false; error: string; statement: number };

export interface D1Script {
  object: string;
  sql: string;
  /** Run at the end, in the same transaction: the note that a migration was applied. Nobody's activity. */
  notes?: D1Statement[];
  /** Name of the function that it counts for, as if that had sent it; absent: it is the agent's own. */
  sender?: string;
  /** Leave the rows out of the answer, which is then one result that sums up what all statements did. */
  quiet?: boolean;
}
/** `statement` is the text of the one that failed, `offset` where it begins in `sql`, in UTF-16 units. */
export type D1ScriptAnswer =
  | { ok: true; results: (D1Rows & { meta: D1Meta })[] }
  | { ok: false; error: string; statement: string; offset: number };

export interface D1Pause {
  /** Names. */
  objects: string[];
  on: boolean;
}

export interface D1Hold {
  object: string;
  on: boolean;
}
/** As long as it is the same, nothing was written; all that was written before it is on the disk. It may differ without a write. */
export interface D1Held {
  state: string;
}
export interface D1Succession {
  object: string;
  /** Name of the other one. */
  by: string;
}

export interface D1Dump {
  object: string;
  noSchema?: boolean;
  noData?: boolean;
  /** Empty or absent: all. */
  tables?: string[];
}

/** What functions and people asked, since the call before; what was not read is lost with the process. */
export interface D1Stats {
  objects: Record<string, D1ObjectStats>;
}
export interface D1ObjectStats {
  queries: number;
  /** Those of them that changed or added something. */
  writes: number;
  errors: number;
  rowsRead: number;
  rowsWritten: number;
  /** Milliseconds that statements took. */
  milliseconds: number;
  /** How many took up to D1_BUCKETS[i] milliseconds; one more than there are buckets, the last one took
   * longer. Each is counted once; failures took no time. */
  buckets: number[];
  size: number;
  /** The slowest statements, without parameters, longest first, at most D1_SLOWEST. */
  slowest: { sql: string; milliseconds: number; rowsRead: number; at: number }[];
}
export const D1_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];
export const D1_SLOWEST = 10;

/** Limits of databases, a part of RouterSettings. Bytes. */
export interface D1Settings {
  /** A database may grow to this. */
  maxSize: number;
  /** JSON of one answer to a function. */
  maxResult: number;
  /** A statement that takes as many milliseconds is told in the log. */
  slow: number;
  /** Objects that are paused from the start of the process on. */
  paused?: string[];
}
/** Cloudflare's limit of a database; its answers are far smaller than ours may be. */
export const D1_DEFAULTS: D1Settings = { maxSize: 10 * 2 ** 30, maxResult: 32 * 2 ** 20, slow: 1_000 };
