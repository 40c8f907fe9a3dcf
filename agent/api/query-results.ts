// What statements answer, as clients get it. Invariant: no answer is larger than its limit. Pure.

import type { D1Value } from "../../runtime/d1/wire.js";
import { WrkstError } from "../errors.js";
import type { QueryResult } from "../reconcile/databases.js";

/** Bytes, roughly: of the values, without what JSON adds. */
export const MAX_RESULT = 32 * 2 ** 20;

/** @throws WrkstError ERR_TOO_LARGE */
export function limitResults(results: QueryResult[], limit = MAX_RESULT): QueryResult[] {
  let size = 0;
  for (const { rows } of results) {
    for (const row of rows) {
      size += sizeOf(row);
      if (size > limit) throw tooLarge(limit);
    }
  }
  return results;
}

const sizeOf = (row: D1Value[]) =>
  row.reduce<number>(
    (sum, cell) => sum + (typeof cell === "object" ? 4 * (cell?.length ?? 1) : String(cell).length),
    0,
  );

function tooLarge(limit: number): WrkstError {
  return new WrkstError("ERR_TOO_LARGE", `expected a result of at most ${limit / 2 ** 20} MiB`, {
    hint: "ask for fewer rows with LIMIT, or export the database; what the statements changed is kept",
  });
}

/** Rows as objects; of columns with one name the last counts, as in D1. */
export function objectsOf({ columns, rows }: Pick<QueryResult, "columns" | "rows">): Record<string, D1Value>[] {
  return rows.map((row) => Object.fromEntries(row.map((cell, index) => [columns[index] ?? "", cell])));
}
