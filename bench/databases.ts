// The function of all comparisons of databases, and who serves it: the agent, plain workerd with its own D1 server behind
// static bindings, and Miniflare. All run the same code.
import { Miniflare } from "miniflare";
import { startBundledD1 } from "../d1/testing/bundled-d1.js";
import { openClient } from "./client.js";
import { startFleet } from "./fleet.js";
import type { Target } from "./load.js";
import { DATE, untilAnswers } from "./peers.js";
import { childrenOf } from "./process-figures.js";
import type { Scope } from "./scope.js";

/** Rows that are there before anything is read. */
const ROWS = 1000;

/** `/<operation>/<how often>/<database>`; the databases are `DB0` and so on. */
const FUNCTION = `
const random = () => 1 + Math.floor(Math.random() * ${ROWS});
const operations = {
  async create(db) {
    await db.batch([
      db.prepare("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"),
      db.prepare("CREATE TABLE IF NOT EXISTS written (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"),
      db.prepare("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT OR IGNORE INTO rows SELECT i, 'text of row ' || i FROM n"),
    ]);
  },
  async read(db) {
    const row = await db.prepare("SELECT id, text FROM rows WHERE id = ?").bind(random()).first();
    if (!row.text.startsWith("text of row")) throw new Error("a wrong row");
  },
  async insert(db) {
    await db.prepare("INSERT INTO written (text) VALUES (?)").bind("some text").run();
  },
  async batch(db) {
    const insert = db.prepare("INSERT INTO written (text) VALUES (?)");
    await db.batch(Array.from({ length: 10 }, (_, index) => insert.bind("text " + index)));
  },
  async none() {},
};
export default {
  async fetch(request, env) {
    const [, operation = "", times = "1", database = "0"] = new URL(request.url).pathname.split("/");
    const run = operations[operation || "none"];
    for (let turn = 0; turn < Number(times); turn++) await run(env["DB" + database]);
    return new Response("done");
  },
};
`;

const namesOf = (databases: number) => Array.from({ length: databases }, (_, index) => `DB${index}`);

/** Functions `databases-0` and so on, each with as many databases. */
export async function startOwn(scope: Scope, functions: number, databases: number): Promise<Target[]> {
  const files = Array.from({ length: functions }, (_, index) => functionWithDatabases(`databases-${index}`, databases));
  const fleet = await startFleet(scope, 0, Object.assign({}, ...files));
  const pid = await fleet.runtimePid();
  return files.map((_, index) => ({ port: fleet.port, host: `databases-${index}.localhost`, pid }));
}

function functionWithDatabases(name: string, databases: number): Record<string, string> {
  const bindings = namesOf(databases).map(
    (binding, index) => `[[d1_databases]]\nbinding = "${binding}"\ndatabase_name = "${name}-${index}"\n`,
  );
  return {
    [`${name}/wrangler.toml`]: `name = "${name}"\nmain = "index.js"\ncompatibility_date = "${DATE}"\n\n${bindings.join("\n")}`,
    [`${name}/index.js`]: FUNCTION,
  };
}

export async function startBundled(scope: Scope, databases: number): Promise<Target> {
  const names = Object.fromEntries(namesOf(databases).map((name) => [name, name]));
  const server = await startBundledD1({ modules: { "function.js": FUNCTION }, databases: names, date: DATE });
  scope.defer(() => server.stop());
  await untilAnswers(server.functionPort, "databases.localhost");
  return { port: server.functionPort, host: "databases.localhost", pid: server.pid };
}

/** Its databases lie on disk, as the others' do. */
export async function startMiniflareWithDatabases(scope: Scope, databases: number): Promise<Target> {
  const before = new Set(childrenOf(process.pid));
  const miniflare = new Miniflare({
    ...{ modules: true, script: FUNCTION, compatibilityDate: "2026-04-01", host: "127.0.0.1", port: 0 },
    ...{ d1Databases: namesOf(databases), d1Persist: await scope.folder() },
  });
  scope.defer(() => miniflare.dispose());
  const { port } = await miniflare.ready;
  const pid = childrenOf(process.pid).find((child) => !before.has(child));
  if (pid === undefined) throw new Error("miniflare started no process");
  return { port: Number(port), host: "databases.localhost", pid };
}

/** Milliseconds of one request to each database of the function. */
export async function touch({ port, host }: Target, operation: string, databases: number): Promise<number[]> {
  const client = openClient(port);
  try {
    await client.get(host, { path: "/none" });
    const times: number[] = [];
    for (let index = 0; index < databases; index++) {
      const { status, text, milliseconds } = await client.get(host, { path: `/${operation}/1/${index}` });
      if (status !== 200) throw new Error(`database ${index} of "${host}" answered ${status}: ${text}`);
      times.push(milliseconds);
    }
    return times;
  } finally {
    client.close();
  }
}
