// SQL text of several statements in one transaction, as migrations and imports bring it. A failure names the statement and its place.
import { type Execution, type Ran, StatementFailure } from "./execution.js";
import { placesOf } from "./statements.js";
import { type D1Script, type D1ScriptAnswer, MAX_CALL } from "./wire.js";

export function runScript(execution: Execution, { sql, then = [], quiet = false }: D1Script): D1ScriptAnswer {
  const places = [...placesOf(sql)];
  const statements = places.map(({ start, end }) => ({ sql: sql.slice(start, end) }));
  try {
    const results = execution.run([...statements, ...then], { rows: !quiet, room: MAX_CALL });
    return { ok: true, results: quiet ? results.map(withoutRows) : results };
  } catch (error) {
    if (!(error instanceof StatementFailure)) throw error;
    const failed = statements[error.statement] ?? then[error.statement - statements.length];
    const offset = places[error.statement]?.start ?? sql.length;
    return { ok: false, error: error.message, statement: failed?.sql ?? "", offset };
  }
}

function withoutRows({ meta }: Ran): Ran {
  return { columns: [], rows: [], meta };
}
