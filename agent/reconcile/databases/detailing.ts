// What only a look into the database tells.
import { sizeOf } from "../../databases/index.js";
import type { DatabaseDetail, DatabaseRef } from "../../model.js";
import type { ContentContext } from "./content-context.js";
import type { Keeping } from "./keeping.js";

/** Those of SQLite and of the platform are nobody's tables, and neither are those that a virtual table keeps. */
const COUNT = `SELECT count(*) FROM pragma_table_list
  WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`;

export function createDetailing(context: ContentContext, keeping: Keeping) {
  return {
    async detail(of: DatabaseRef): Promise<DatabaseDetail> {
      const detail = await keeping.detail(of);
      return { ...detail, tables: await count(context, detail) };
    },
  };
}

async function count(context: ContentContext, database: DatabaseDetail): Promise<number | null> {
  if (sizeOf(context.file(database)) === 0) return 0;
  const call = { object: context.object(database), statements: [{ sql: COUNT }], isOwn: true };
  // A runtime that does not answer hides a number, and nothing else.
  const answer = await context.deps.runtime.call(call).catch(() => undefined);
  return answer?.ok ? Number(answer.results[0]?.rows[0]?.[0]) : null;
}
