// Runs statements in an object's SQLite and says what they did. Synchronous: whoever calls has the database alone meanwhile.
import { endOfStatements } from "./statements.js";
import type { D1Meta, D1Rows, D1Statement, D1Value } from "./wire.js";

export type Ran = D1Rows & { meta: D1Meta };

export interface Execution {
  /** All in one transaction: a failure leaves everything as it was. */
  all(statements: D1Statement[], limit: number): Ran[];
}

const READ = /^\s*select\b/i;

export function createExecution(storage: DurableObjectStorage): Execution {
  const { sql } = storage;
  // What reads do not change is kept, since asking costs as much as a read itself; undefined after a failure.
  let known: { changes: number; lastRow: number; size: number } | undefined;
  const look = () => {
    const [changes, lastRow] = sql.exec("SELECT total_changes(), last_insert_rowid()").raw().next().value as number[];
    return { changes: changes!, lastRow: lastRow!, size: sql.databaseSize };
  };
  const one = ({ sql: text, params }: D1Statement, end: number): Ran => {
    const start = performance.now();
    known ??= look();
    const before = known;
    const cursor = sql.exec(end === text.length ? text : text.slice(0, end), ...(params ?? []).map(bound));
    const rows = Array.from(cursor.raw(), (row) => row.map(carried));
    const isRead = READ.test(text) && !text.slice(0, end).includes(";");
    if (!isRead) known = look();
    const duration = performance.now() - start;
    return {
      columns: cursor.columnNames,
      rows,
      meta: {
        served_by: "wrkst",
        served_by_primary: true,
        duration,
        timings: { sql_duration_ms: duration },
        changes: known.changes - before.changes,
        last_row_id: known.lastRow,
        changed_db: known.changes !== before.changes || known.lastRow !== before.lastRow || known.size !== before.size,
        size_after: known.size,
        rows_read: cursor.rowsRead,
        rows_written: cursor.rowsWritten,
      },
    };
  };
  return {
    all(statements) {
      const work = statements
        .map((statement) => ({ statement, end: endOfStatements(statement.sql) }))
        .filter(({ end }) => end > 0);
      if (work.length === 0) throw new Error("No SQL statements detected.");
      try {
        if (work.length === 1) return [one(work[0]!.statement, work[0]!.end)];
        return storage.transactionSync(() => work.map(({ statement, end }) => one(statement, end)));
      } catch (error) {
        known = undefined;
        throw error;
      }
    },
  };
}

function bound(value: D1Value): SqlStorageValue {
  return Array.isArray(value) ? new Uint8Array(value).buffer : value;
}

function carried(value: SqlStorageValue): D1Value {
  return value instanceof ArrayBuffer ? Array.from(new Uint8Array(value)) : value;
}
