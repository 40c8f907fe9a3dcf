// What a call of workerd's D1 client is answered: the form of rows that it asks for. Pure.
import { type Ran, StatementFailure } from "./execution.js";
import type { D1Answer, D1Value } from "./wire.js";

/** `none`: nobody looks at the rows, so that they are not even kept. */
export type Format = "rows" | "objects" | "none";

/** `exec` sends lines and looks at no rows; `run` sends one statement, and gets rows though it says that it wants none. */
export function formatOf(path: "/query" | "/execute", url: string, body: unknown): Format {
  if (path === "/execute") return Array.isArray(body) ? "none" : "objects";
  return url.endsWith("resultsFormat=ROWS_AND_COLUMNS") ? "rows" : "objects";
}

export function answerOf({ columns, rows, meta }: Ran, format: Format): D1Answer {
  if (format === "rows") return { success: true, results: { columns, rows }, meta };
  return { success: true, results: rows.map((row) => objectOf(columns, row)), meta };
}

/** Of columns with the same name the last one counts. */
function objectOf(columns: string[], row: D1Value[]): Record<string, D1Value> {
  return Object.fromEntries(columns.map((column, index) => [column, row[index]!]));
}

/** Nothing of what failed was done; but the client takes the place of a failure for the line, of which it then speaks. */
export function failureOf(error: unknown, format: Format): D1Answer | D1Answer[] {
  const failed = { success: false as const, error: error instanceof Error ? error.message : String(error) };
  if (format !== "none" || !(error instanceof StatementFailure)) return failed;
  return [...Array.from({ length: error.statement }, () => UNDONE), failed];
}

const UNDONE: D1Answer = {
  success: true,
  results: [],
  meta: {
    ...{ served_by: "wrkst", served_by_primary: true, timings: { sql_duration_ms: 0 }, duration: 0 },
    ...{ changes: 0, last_row_id: 0, changed_db: false, size_after: 0, rows_read: 0, rows_written: 0 },
  },
};
