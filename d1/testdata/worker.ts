// A function as people write it, against the published package: values go between its types and the global ones
// of @cloudflare/workers-types.

import { env as environment } from "cloudflare:workers";
import {
  D1BindingError,
  getD1,
  type D1PreparedStatement as Statement,
  type D1Database as TypedDatabase,
} from "wrkst-d1";

interface Env {
  D1: D1Database;
  GUESTS: TypedDatabase;
  TITLE: string;
}

interface Visit {
  id: number;
  name: string;
}

async function visit(db: D1Database, name: string): Promise<Visit[]> {
  await db.exec("CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
  const insert: Statement = db.prepare("INSERT INTO visits (name) VALUES (?)");
  await db.batch([insert.bind(name)]);
  const { results, meta } = await db.prepare("SELECT id, name FROM visits ORDER BY id").all<Visit>();
  const read: number = meta.rows_read;
  if (read < results.length) throw new Error("rows that nobody read");
  return results;
}

function codeOf(env: Env, binding: string): string {
  try {
    getD1(env, binding);
    return "found";
  } catch (error) {
    return error instanceof D1BindingError ? error.code : String(error);
  }
}

export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname.slice(1);
    if (path.startsWith("code/")) return Response.json(codeOf(env, path.slice("code/".length)));
    const native: D1Database = getD1(env);
    const guests: TypedDatabase = getD1(environment, "GUESTS");
    const same = [native === env.D1, guests === env.GUESTS];
    const last = await guests.withSession("first-primary").prepare("SELECT 1 + 1 AS sum").first<number>("sum");
    return Response.json({ same, last, visits: await visit(native, path) });
  },
} satisfies ExportedHandler<Env>;

/** Never called: the compiler must refuse each. */
export function refused(env: Env): unknown[] {
  // @ts-expect-error an env is an object
  const ofNothing = getD1(undefined);
  // @ts-expect-error bindings are named by strings
  const byNumber = getD1(env, 1);
  // @ts-expect-error a database is no string
  const name: string = getD1(env);
  return [ofNothing, byNumber, name];
}
