// Statements that a person runs. What SQLite says of them is theirs to see.
import type { D1Statement } from "../../../runtime/d1/wire.js";
import { firstWordFrom, placeOf } from "../../databases/index.js";
import { WrkstError } from "../../errors.js";
import type { Actor, Database, DatabaseRef } from "../../model.js";
import type { QueryResult } from "../databases.js";
import { belongingTo } from "./belonging.js";
import type { ContentContext } from "./content-context.js";

export function createCalling(context: ContentContext) {
  const { runtime, registry } = context.deps;

  async function query(of: DatabaseRef, statements: D1Statement[], by: Actor): Promise<QueryResult[]> {
    const database = context.expect(of);
    const answer = await runtime.call({ object: context.object(database), statements });
    if (!answer.ok) throw new WrkstError("ERR_SQL", answer.error);
    audit(database, answer.results, by);
    return answer.results;
  }

  async function script(of: DatabaseRef, sql: string, by: Actor): Promise<QueryResult[]> {
    const database = context.expect(of);
    const answer = await runtime.script({ object: context.object(database), sql });
    if (!answer.ok) throw sqlError(sql, answer);
    audit(database, answer.results, by);
    return answer.results;
  }

  /** Reading is no event; the statement, which may hold what is nobody's business, is in none. */
  function audit(database: Database, results: QueryResult[], by: Actor): void {
    const written = results.reduce((sum, { meta }) => sum + meta.rows_written, 0);
    if (!results.some(({ meta }) => meta.changed_db)) return;
    const message = `${by.name} changed the database "${database.name}": ${written} rows written`;
    registry.addEvent({ kind: "database.changed", ...belongingTo(database), message, actor: by });
  }

  return { query, script };
}

/** SQLite's words, and the line of the statement where there are several. */
export function sqlError(
  sql: string,
  failure: { error: string; statement: string; offset: number },
  firstLine = 1,
): WrkstError {
  const start = firstWordFrom(sql, failure.offset) ?? failure.offset;
  const line = placeOf(sql, start).line + firstLine - 1;
  const details = { hint: "nothing was changed" };
  if (!sql.includes("\n")) return new WrkstError("ERR_SQL", failure.error, details);
  const statement = failure.statement.trim().replace(/\s+/g, " ").slice(0, 120);
  return new WrkstError("ERR_SQL", `${failure.error} (line ${line}: ${statement})`, details);
}
