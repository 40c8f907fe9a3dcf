// A D1 database behind a host name: D1's own interface over HTTP, speaking what the runtime's client says to a database
// (`POST /query`, `POST /execute`). Checks, results and the wording of errors are those of the native binding; its one
// addition is that a database which cannot be reached is a `D1_ERROR` too.

/**
 * @import { D1Database, D1DatabaseSession, D1Meta, D1PreparedStatement, D1Result } from "./index.d.ts"
 * @typedef {{ columns: string[], rows: unknown[][] }} Rows
 * @typedef {{ success: true, meta: D1Meta & Record<string, unknown>, results?: Rows | Record<string, unknown>[] }} Answer
 * @typedef {{ sql: string, params?: unknown[] }} Query
 */

/** Carries a session's constraint or bookmark there, and the newer bookmark back. */
const BOOKMARK = "x-cf-d1-session-commit-token";
const CONSTRAINTS = ["first-primary", "first-unconstrained"];

/**
 * The origin that the older form of a binding names: `host`, `host:port`, or either with `http://` or `https://`. Undefined
 * for any other string: capitals and a single word without a port are more likely a secret.
 * @param {string} text
 * @returns {string | undefined}
 */
export function parseHost(text) {
  const found = /^(https?:\/\/)?([a-z0-9.-]{1,253}|\[[0-9a-f:.]+\])(:\d{1,5})?\/?$/.exec(text);
  if (!found) return undefined;
  const [, scheme, name = "", port = ""] = found;
  const isHost = scheme || port || /[.[]/.test(name) || name === "localhost";
  const origin = `${scheme ?? "http://"}${name}${port}`;
  return isHost && URL.canParse(origin) ? origin : undefined;
}

/** @implements {D1Database} */
export class HostDatabase {
  #origin;
  #primary;

  /** @param {string} origin as `parseHost` answers it */
  constructor(origin) {
    this.#origin = origin;
    this.#primary = new Connection(origin, null);
  }

  /** @param {string} query */
  prepare(query) {
    return new HostStatement(this.#primary, query, []);
  }

  /**
   * @template T
   * @param {D1PreparedStatement[]} statements
   * @returns {Promise<D1Result<T>[]>}
   */
  async batch(statements) {
    return batch(this.#primary, statements);
  }

  /** @param {string} query */
  async exec(query) {
    const lines = query.trim().split("\n");
    const answers = await this.#primary.ask(
      "/execute",
      lines.map((sql) => ({ sql })),
      "NONE",
    );
    if (typeof answers === "string") throw failure("D1_EXEC_ERROR", `Error in line 1: ${lines[0]}: ${answers}`);
    return { count: answers.length, duration: answers.reduce((sum, { meta }) => sum + meta.duration, 0) };
  }

  /** @param {string} [constraintOrBookmark] */
  withSession(constraintOrBookmark) {
    return new HostSession(new Connection(this.#origin, constraintOrBookmark?.trim() || "first-unconstrained"));
  }

  /** @returns {Promise<ArrayBuffer>} */
  async dump() {
    const response = await this.#primary.post("/dump");
    if (response.status === 200) return await response.arrayBuffer();
    throw failure("D1_DUMP_ERROR", `Status + ${response.status}`, `Status ${response.status}`);
  }
}

/** @implements {D1DatabaseSession} */
class HostSession {
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** @param {string} query */
  prepare(query) {
    return new HostStatement(this.#connection, query, []);
  }

  /**
   * @template T
   * @param {D1PreparedStatement[]} statements
   * @returns {Promise<D1Result<T>[]>}
   */
  async batch(statements) {
    return batch(this.#connection, statements);
  }

  getBookmark() {
    return this.#connection.bookmark;
  }
}

/**
 * Never changed: `bind` makes another one.
 * @implements {D1PreparedStatement}
 */
class HostStatement {
  #connection;
  /** As the native statement has them: a batch reads them. */
  statement;
  params;

  /**
   * @param {Connection} connection
   * @param {string} statement
   * @param {unknown[]} params
   */
  constructor(connection, statement, params) {
    this.#connection = connection;
    this.statement = statement;
    this.params = params;
  }

  /** @param {unknown[]} values */
  bind(...values) {
    return new HostStatement(this.#connection, this.statement, values.map(parameter));
  }

  /**
   * @template T
   * @param {string} [column]
   * @returns {Promise<T | null>}
   */
  async first(column) {
    const [row] = objectsOf(await this.#ask("/query", "ROWS_AND_COLUMNS")).results;
    if (row === undefined) return null;
    if (column === undefined) return /** @type {T} */ (row);
    if (row[column] === undefined) {
      throw failure("D1_COLUMN_NOTFOUND", `Column not found (${column})`, "Column not found");
    }
    return /** @type {T} */ (row[column]);
  }

  /**
   * @template T
   * @returns {Promise<D1Result<T>>}
   */
  async run() {
    return /** @type {D1Result<T>} */ (objectsOf(await this.#ask("/execute", "NONE")));
  }

  /**
   * @template T
   * @returns {Promise<D1Result<T>>}
   */
  async all() {
    return /** @type {D1Result<T>} */ (objectsOf(await this.#ask("/query", "ROWS_AND_COLUMNS")));
  }

  /**
   * @param {{ columnNames?: boolean }} [options]
   * @returns {Promise<any>}
   */
  async raw(options) {
    const { columns, rows } = rowsOf(await this.#ask("/query", "ROWS_AND_COLUMNS"));
    return options?.columnNames && columns ? [columns, ...rows] : rows;
  }

  /**
   * @param {string} path
   * @param {string} format
   * @returns {Promise<Answer>}
   */
  async #ask(path, format) {
    const query = { sql: this.statement, params: this.params };
    const [answer] = succeeded(await this.#connection.ask(path, query, format));
    if (!answer) throw failure("D1_ERROR", "the database answered without a result");
    return answer;
  }
}

/** The way to a database, and how far those who use it have read. */
class Connection {
  #origin;
  /** Constraint or bookmark; null where it is neither sent nor kept. */
  #sent;

  /**
   * @param {string} origin
   * @param {string | null} sent
   */
  constructor(origin, sent) {
    this.#origin = origin;
    this.#sent = sent;
  }

  get bookmark() {
    return this.#sent === null || CONSTRAINTS.includes(this.#sent) ? null : this.#sent;
  }

  /**
   * The answer of every statement, or the words of the failure.
   * @param {string} path
   * @param {Query | Query[]} queries
   * @param {string} format
   * @returns {Promise<Answer[] | string>}
   */
  async ask(path, queries, format) {
    const response = await this.post(`${path}?resultsFormat=${format}`, JSON.stringify(queries));
    const body = await response.text().catch(unreachable);
    const answers = parseAnswers(body);
    return answers.find((answer) => answer.error)?.error ?? /** @type {Answer[]} */ (answers);
  }

  /**
   * @param {string} path
   * @param {string} [body]
   */
  async post(path, body) {
    const headers = new Headers({ "content-type": "application/json" });
    if (this.#sent) headers.set(BOOKMARK, this.#sent);
    const init = { method: "POST", headers, ...(body === undefined ? {} : { body }) };
    const response = await fetch(`${this.#origin}${path}`, init).catch(unreachable);
    this.#keep(response.headers.get(BOOKMARK)?.trim());
    return response;
  }

  /**
   * Answers may arrive in another order than they were asked for: the newest bookmark stays.
   * @param {string | undefined} bookmark
   */
  #keep(bookmark) {
    if (!bookmark || this.#sent === null) return;
    if (this.bookmark === null || this.bookmark.localeCompare(bookmark) < 0) this.#sent = bookmark;
  }
}

/**
 * @template T
 * @param {Connection} connection
 * @param {D1PreparedStatement[]} statements
 * @returns {Promise<D1Result<T>[]>}
 */
async function batch(connection, statements) {
  const queries = /** @type {HostStatement[]} */ (statements).map(({ statement, params }) => ({
    sql: statement,
    params,
  }));
  const answers = succeeded(await connection.ask("/query", queries, "ROWS_AND_COLUMNS"));
  return /** @type {D1Result<T>[]} */ (answers.map(objectsOf));
}

/**
 * What JSON carries for a value: bytes are arrays of numbers.
 * @param {unknown} value
 * @returns {unknown}
 */
function parameter(value) {
  if (typeof value === "number" || typeof value === "string" || value === null) return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof ArrayBuffer) return Array.from(new Uint8Array(value));
  // As the native binding: the elements of a view, whatever their width.
  if (ArrayBuffer.isView(value)) return Array.from(/** @type {Uint8Array} */ (value));
  if (Array.isArray(value) && value.every(isByte)) return value;
  throw failure("D1_TYPE_ERROR", `Type '${typeof value}' not supported for value '${String(value)}'`);
}

/** @param {unknown} value */
function isByte(value) {
  return typeof value === "number" && value >= 0 && value < 256;
}

/**
 * @param {string} body
 * @returns {(Answer & { error?: string })[]}
 */
function parseAnswers(body) {
  try {
    const answers = [JSON.parse(body)].flat();
    if (answers.every((answer) => answer instanceof Object)) return answers;
    throw new TypeError("no object");
  } catch {
    throw failure("D1_ERROR", `Failed to parse body as JSON, got: ${body}`);
  }
}

/**
 * @param {Answer[] | string} answers
 * @returns {Answer[]}
 */
function succeeded(answers) {
  if (typeof answers === "string") throw failure("D1_ERROR", answers);
  return answers;
}

/**
 * @param {Answer} answer
 * @returns {{ success: true, meta: D1Meta & Record<string, unknown>, results: Record<string, unknown>[] }}
 */
function objectsOf({ meta, results = [] }) {
  if (Array.isArray(results)) return { success: true, meta, results };
  const { columns, rows } = results;
  const objects = rows.map((row) => Object.fromEntries(row.map((cell, index) => [columns[index], cell])));
  return { success: true, meta, results: objects };
}

/**
 * Without a row, objects do not tell their columns.
 * @param {Answer} answer
 * @returns {{ columns: string[] | undefined, rows: unknown[][] }}
 */
function rowsOf({ results = [] }) {
  if (!Array.isArray(results)) return results;
  return { columns: results[0] && Object.keys(results[0]), rows: results.map((row) => Object.values(row)) };
}

/**
 * @param {string} kind
 * @param {string} message
 * @param {unknown} [cause] its words where they are others
 */
function failure(kind, message, cause = message) {
  return new Error(`${kind}: ${message}`, { cause: cause instanceof Error ? cause : new Error(`${cause}`) });
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function unreachable(error) {
  throw failure("D1_ERROR", error instanceof Error ? error.message : String(error), error);
}
