// Runs statements in an object's SQLite and says what they did. Synchronous: whoever calls has the database alone meanwhile.
import { endsTransactions, type Shape, shapeOf } from "./statements.js";
import type { D1Meta, D1Rows, D1Settings, D1Statement, D1Value } from "./wire.js";

export type Ran = D1Rows & { meta: D1Meta };

/** What becomes of the rows: `room` is how many characters of JSON they may take in all. */
export interface Wanted {
  rows: boolean;
  room: number;
  /** How many of the statements, from the first on, the witness is told of: the platform's own are nobody's. Default: all. */
  counted?: number;
}

export interface Execution {
  /**
   * All in one transaction: a failure leaves everything as it was. What is only comments is left out.
   * @throws StatementFailure with SQLite's words, as D1 hands them on
   */
  run(statements: D1Statement[], wanted: Wanted): Ran[];
  /** How often something ran that may have changed anything. */
  readonly writes: number;
  /** Whether none of them changes anything. */
  onlyReads(statements: D1Statement[]): boolean;
}

/** Told of every statement of functions or people that ran; without meta, that it failed. */
export type Witness = (sql: string, meta: D1Meta | undefined) => void;

export class StatementFailure extends Error {
  /** Which of the statements, from 0. */
  readonly statement: number;

  constructor(cause: unknown, statement: number) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.statement = statement;
  }
}

/** What the connection counts, and how large the database is. */
interface Counters {
  changes: number;
  lastRow: number;
  size: number;
}
interface Work {
  statement: D1Statement;
  shape: Shape;
  /** Where it stands among those that were given. */
  index: number;
}

const PAGE = 4096;
/** Of a size that was not asked for yet. */
const UNKNOWN = -1;

export function createExecution(storage: DurableObjectStorage, settings: D1Settings, witness: Witness): Execution {
  const { sql } = storage;
  // By this name for its use in tests of workerd; it sets SQLite's own limit, which no statement can pass or lift.
  (sql as unknown as { setMaxPageCountForTest(pages: number): void }).setMaxPageCountForTest(
    Math.max(1, Math.floor(settings.maxSize / PAGE)),
  );
  // Reads change none of it, and to ask costs as much as a read itself. Undefined: not known.
  let known: Counters | undefined;
  const look = (size: number): Counters => {
    const [changes, lastRow] = sql.exec("SELECT total_changes(), last_insert_rowid()").raw().next().value as number[];
    return { changes: changes!, lastRow: lastRow!, size };
  };
  const one = ({ statement, shape }: Work, wanted: Wanted): Ran => {
    const text = statement.sql.length === shape.end ? statement.sql : statement.sql.slice(0, shape.end);
    const began = performance.now();
    const before = known!;
    if (before.size === UNKNOWN && !shape.isChange) before.size = sql.databaseSize;
    const cursor = statement.params ? sql.exec(text, ...statement.params.map(bound)) : sql.exec(text);
    const columns = cursor.columnNames;
    const rows = taken(cursor, columns, wanted);
    const after = shape.isRead ? before : look(shape.isChange ? UNKNOWN : sql.databaseSize);
    known = after;
    return { columns, rows, meta: metaOf(cursor, before, after, performance.now() - began) };
  };
  const tell = (work: Work[], results: Ran[], wanted: Wanted) => {
    for (const [at, { meta }] of results.entries())
      if (isCounted(work[at]!.index, wanted)) witness(work[at]!.statement.sql, meta);
  };
  const each = (work: Work[], wanted: Wanted) => {
    const results: Ran[] = [];
    let size = 0;
    try {
      known ??= look(sql.databaseSize);
      size = known.size;
      for (const item of work) results.push(one(item, wanted));
      if (known.size === UNKNOWN) known.size = sql.databaseSize;
      fillIn(results, known.size);
      tell(work, results, wanted);
      return results;
    } catch (error) {
      fillIn(results, size);
      tell(work, results, wanted);
      const failed = work[results.length] ?? work.at(-1)!;
      if (isCounted(failed.index, wanted)) witness(failed.statement.sql, undefined);
      throw new StatementFailure(error, failed.index);
    }
  };
  let writes = 0;
  return {
    get writes() {
      return writes;
    },
    onlyReads: (statements) => statements.every(({ sql }) => shapeOf(String(sql)).isRead),
    run(statements, wanted) {
      const work = workOf(statements);
      if (work.length === 1 && work[0]!.shape.isRead) return each(work, wanted);
      writes++;
      try {
        return storage.transactionSync(() => {
          const results = each(work, wanted);
          if (work.some(({ shape }) => shape.defers)) checkForeignKeys(sql, work.at(-1)!.index);
          return results;
        });
      } catch (error) {
        known = undefined;
        throw error;
      }
    },
  };
}

/** All take effect together: where nobody asked for the size between them, it is the one behind the last. */
function fillIn(results: Ran[], size: number): void {
  for (const { meta } of results) if (meta.size_after === UNKNOWN) meta.size_after = size;
}

const isCounted = (index: number, { counted = Number.POSITIVE_INFINITY }: Wanted) => index < counted;

function workOf(statements: D1Statement[]): Work[] {
  const work: Work[] = [];
  for (const [index, statement] of statements.entries()) {
    if (typeof statement?.sql !== "string") throw new StatementFailure("a statement has no text", index);
    // The statements of a batch are mostly one text with other parameters, and to read it takes longer than to run it.
    const last = work.at(-1);
    const isSame = last !== undefined && last.statement.sql === statement.sql;
    const shape = isSame ? last.shape : shapeOf(statement.sql);
    if (!isSame && !shape.isRead && endsTransactions(statement.sql)) throw new StatementFailure(NO_ROLLBACK, index);
    if (shape.end > 0) work.push({ statement, shape, index });
  }
  if (work.length === 0) throw new StatementFailure("No SQL statements detected.", 0);
  return work;
}

/** It would end the transaction of everybody whose writes are on their way, and the object with it. */
const NO_ROLLBACK = "conflict resolution ROLLBACK is not supported, use ABORT: SQLITE_ERROR";

/** Put off, the check comes when it is too late to answer: a failed commit ends the object with all that waits for it. */
function checkForeignKeys(sql: SqlStorage, statement: number): void {
  const isBroken = !sql.exec("PRAGMA foreign_key_check").raw().next().done;
  if (isBroken) throw new StatementFailure(FOREIGN_KEY, statement);
}
const FOREIGN_KEY = "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";

/** The rows, weighed while they come, so that too many of them never are in memory. */
function taken(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>, columns: string[], wanted: Wanted) {
  const rows: D1Value[][] = [];
  if (wanted.rows) for (const column of columns) wanted.room -= column.length;
  for (const row of cursor.raw<SqlStorageValue[]>()) {
    if (!wanted.rows) continue;
    rows.push(carried(row, wanted));
    if (wanted.room < 0) throw new Error(TOO_LARGE);
  }
  return rows;
}
const TOO_LARGE = "the result is too large, ask for fewer rows or columns: SQLITE_TOOBIG";

/** The same row, with its blobs as JSON carries them. */
function carried(row: SqlStorageValue[], wanted: Wanted): D1Value[] {
  let weight = 2;
  for (let index = 0; index < row.length; index++) {
    const value = row[index]!;
    if (typeof value === "string") weight += value.length + 3;
    else if (typeof value === "object" && value !== null) {
      weight += value.byteLength * 4;
      if (weight > wanted.room) break;
      row[index] = Array.from(new Uint8Array(value)) as unknown as SqlStorageValue;
    } else weight += 8;
  }
  wanted.room -= weight;
  return row as unknown as D1Value[];
}

function bound(value: D1Value): SqlStorageValue {
  return Array.isArray(value) ? new Uint8Array(value).buffer : value;
}

function metaOf(
  cursor: { rowsRead: number; rowsWritten: number },
  before: Counters,
  after: Counters,
  duration: number,
): D1Meta {
  return {
    served_by: "wrkst",
    served_by_primary: true,
    timings: { sql_duration_ms: duration },
    duration,
    changes: after.changes - before.changes,
    last_row_id: after.lastRow,
    changed_db: after.changes !== before.changes || after.lastRow !== before.lastRow || isOtherSize(before, after),
    size_after: after.size,
    rows_read: cursor.rowsRead,
    rows_written: cursor.rowsWritten,
  };
}

/** Asked for only where counting rows does not tell it. */
function isOtherSize(before: Counters, after: Counters): boolean {
  return after.size !== UNKNOWN && after.size !== before.size;
}
