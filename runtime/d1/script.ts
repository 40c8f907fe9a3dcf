// SQL text of several statements in one transaction, as migrations and imports bring it. A failure names the statement and its place.
import { type Execution, type Ran, StatementFailure } from "./execution.js";
import { placesOf } from "./statements.js";
import { type D1Script, type D1ScriptAnswer, MAX_CALL } from "./wire.js";

export function runScript(execution: Execution, { sql, notes = [], quiet = false }: D1Script): D1ScriptAnswer {
  const places = [...placesOf(sql)];
  const statements = places.map(({ start, end }) => ({ sql: sql.slice(start, end) }));
  try {
    const results = execution.run([...statements, ...notes], {
      rows: !quiet,
      room: MAX_CALL,
      counted: statements.length,
    });
    return { ok: true, results: quiet ? [sumOf(results)] : results };
  } catch (error) {
    if (!(error instanceof StatementFailure)) throw error;
    const failed = statements[error.statement] ?? notes[error.statement - statements.length];
    const offset = places[error.statement]?.start ?? sql.length;
    return { ok: false, error: error.message, statement: failed?.sql ?? "", offset };
  }
}

/** Of thousands of statements, in one: as of the last one, with what all of them did. */
function sumOf(results: Ran[]): Ran {
  const last = results.at(-1)!.meta;
  const total = (key: "duration" | "changes" | "rows_read" | "rows_written") =>
    results.reduce((sum, { meta }) => sum + meta[key], 0);
  const duration = total("duration");
  const sums = { changes: total("changes"), rows_read: total("rows_read"), rows_written: total("rows_written") };
  const changed_db = results.some(({ meta }) => meta.changed_db);
  return {
    columns: [],
    rows: [],
    meta: { ...last, ...sums, duration, timings: { sql_duration_ms: duration }, changed_db },
  };
}
