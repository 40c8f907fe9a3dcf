// The types of wrkst-d1, with nothing imported. Those of D1 are, member by member, what @cloudflare/workers-types
// declares, so that a value of either goes where the other one is expected.

/**
 * The D1 database that is bound to the function: the platform's own object, unchanged. Where the binding is a string that
 * names a host ("d1.internal:8787", with "http://" or "https://" before it or without), a client of the database behind it.
 *
 * @param env what the handler receives, or `env` of `cloudflare:workers`
 * @param binding name under `[[d1_databases]]`; "D1" unless told
 * @throws {D1BindingError} when nothing is bound there, or something else than a database
 * @throws {TypeError} when `env` is not an object
 */
export function getD1(env: object, binding?: string): D1Database;

/** Why there is no database; the message ends with the hint. */
export class D1BindingError extends Error {
  readonly code: "ERR_D1_BINDING_MISSING" | "ERR_D1_BINDING_INVALID";
  /** What to change. */
  readonly hint: string;
  constructor(code: D1BindingError["code"], message: string, hint: string);
}

/** https://developers.cloudflare.com/d1/worker-api/d1-database/ */
export interface D1Database {
  prepare(query: string): D1PreparedStatement;
  /** All statements in one transaction. */
  batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]>;
  /** Statements without parameters, one a line. */
  exec(query: string): Promise<D1ExecResult>;
  withSession(constraintOrBookmark?: D1SessionBookmark | D1SessionConstraint): D1DatabaseSession;
  /** @deprecated databases of the alpha only */
  dump(): Promise<ArrayBuffer>;
}

/** Queries that see at least what the session has seen before. */
export interface D1DatabaseSession {
  prepare(query: string): D1PreparedStatement;
  batch<T = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]>;
  /** `null` before the first query. */
  getBookmark(): D1SessionBookmark | null;
}

/** https://developers.cloudflare.com/d1/worker-api/prepared-statements/ */
export interface D1PreparedStatement {
  bind(...values: unknown[]): D1PreparedStatement;
  first<T = unknown>(colName: string): Promise<T | null>;
  first<T = Record<string, unknown>>(): Promise<T | null>;
  run<T = Record<string, unknown>>(): Promise<D1Result<T>>;
  all<T = Record<string, unknown>>(): Promise<D1Result<T>>;
  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>;
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>;
}

export type D1SessionConstraint = "first-primary" | "first-unconstrained";
export type D1SessionBookmark = string;

export type D1Result<T = unknown> = D1Response & { results: T[] };

export interface D1Response {
  success: true;
  meta: D1Meta & Record<string, unknown>;
  error?: never;
}

export interface D1ExecResult {
  count: number;
  /** Milliseconds. */
  duration: number;
}

export interface D1Meta {
  /** Milliseconds. */
  duration: number;
  /** Bytes of the database after the query. */
  size_after: number;
  rows_read: number;
  rows_written: number;
  last_row_id: number;
  changed_db: boolean;
  changes: number;
  served_by_region?: string;
  served_by_colo?: string;
  served_by_primary?: boolean;
  timings?: { sql_duration_ms: number };
  total_attempts?: number;
}
