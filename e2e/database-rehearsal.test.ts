// Migrations that would stop the runtime, through real pushes: they stop a process of their own, and nothing else.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { MigrationState } from "../agent/model.js";
import { createRepository, functionFiles, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";
import { processesOf } from "./processes.js";

let agent: TestAgent;
let repository: TestRepository;
let dataDir: string;

const start = () => startAgent({ dataDir, env: { RUNTIME_HANG_TIMEOUT: "2s" } });

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-tried-"));
  [agent, repository] = await Promise.all([start(), createRepository()]);
  await push({
    ...functionFiles("neighbour", "here"),
    "ledger/wrangler.toml": `name = "ledger"
main = "index.js"
compatibility_date = "2026-08-01"
[[d1_databases]]
binding = "DB"
database_name = "ledger"
`,
    "ledger/index.js": code("1"),
    "ledger/migrations/0001_first.sql": "CREATE TABLE entries (n INTEGER); INSERT INTO entries VALUES (1);",
  });
});
after(async () => {
  await agent?.stop();
  await Promise.all([repository?.remove(), rm(dataDir, { recursive: true, force: true })]);
});

const code = (version: string) => `export default { async fetch(request, env) {
  if (request.method === "POST") return Response.json(await env.DB.prepare("INSERT INTO entries VALUES (?) RETURNING n").bind(Number(await request.text())).first("n"));
  if (request.url.endsWith("/entries")) return Response.json((await env.DB.prepare("SELECT n FROM entries ORDER BY n").raw()).flat());
  const { results } = await env.DB.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'fine%' ORDER BY 1").all();
  return new Response(["version ${version}", ...results.map(({ name }) => name)].join());
} };
`;
const ENDLESS = `-- for ever
CREATE TABLE many AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n;
`;

const push = async (files: Record<string, string | null>) => {
  await repository.commit(files);
  return (await repository.push(agent)).output;
};
const applied = async () =>
  (await agent.api<MigrationState>("/api/v1/databases/ledger/migrations")).applied.map(({ name }) => name);
const rehearsing = async () =>
  (await processesOf(dataDir)).filter(({ command }) => command.includes("rehearsal.capnp"));
const folders = async () =>
  (await readdir(join(dataDir, "tmp")).catch(() => [])).filter((name) => name.startsWith("rehearsal"));

/** Asks the neighbour without pause until the work is done. */
async function meanwhile<T>(work: Promise<T>): Promise<{ result: T; answers: Set<string> }> {
  const answers = new Set<string>();
  let isOver = false;
  const asking = (async () => {
    while (!isOver) answers.add((await agent.request("neighbour")).text);
  })();
  try {
    return { result: await work, answers };
  } finally {
    isOver = true;
    await asking;
  }
}

test("C4: an endless migration interrupts nobody, is named with its file, and the database is as it was", async () => {
  const { result: output, answers } = await meanwhile(
    push({
      "ledger/index.js": code("2"),
      "ledger/migrations/0002_fine.sql": "CREATE TABLE fine (x);",
      "ledger/migrations/0003_endless.sql": ENDLESS,
    }),
  );
  assert.deepEqual([...answers], ["here"]);
  assert.equal((await agent.status()).runtime.restarts, 0);
  assert.match(output, /failed\s+ledger\s+ledger\/migrations\/0003_endless\.sql/);
  assert.match(output, /wrkst d1 execute/);
  const { state, error } = await agent.functionStatus("ledger");
  assert.deepEqual([state, error?.code], ["failed", "ERR_MIGRATION"]);
  assert.equal((await agent.request("ledger")).text, "version 1");
  assert.deepEqual(await applied(), ["0001_first.sql"]);
  await until("the process is gone", async () => (await rehearsing()).length === 0);
  assert.deepEqual(await folders(), []);
});

test("a file that fails after others leaves the database without those too", async () => {
  const output = await push({ "ledger/migrations/0003_endless.sql": "\nINSERT INTO nowhere VALUES (1);\n" });
  assert.match(output, /failed\s+ledger\s+ledger\/migrations\/0003_endless\.sql:2:1: .*no such table: nowhere/);
  assert.equal((await agent.request("ledger")).text, "version 1");
});

test("D2: honest migrations are applied, and what rehearsed them does not outlive an agent that was killed", async () => {
  const output = await push({
    "ledger/migrations/0003_endless.sql": "CREATE TABLE fine_too AS SELECT * FROM entries;",
  });
  assert.match(output, /migrated\s+ledger\s+"ledger": 0002_fine\.sql, 0003_endless\.sql/);
  assert.equal((await agent.request("ledger")).text, "version 2,fine,fine_too");
  assert.deepEqual([(await rehearsing()).length, (await folders()).length], [1, 1], "it is kept for the next");
  await agent.kill();
  assert.equal((await rehearsing()).length, 1, "it outlives a kill");
  agent = await start();
  assert.deepEqual([await rehearsing(), await folders()], [[], []]);
  assert.equal((await agent.request("ledger")).text, "version 2,fine,fine_too");
});

test("C4: while a migration runs every write is answered and kept, and the database is what came of its copy", async () => {
  const written = [1];
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      const n = written.length + 1;
      const { status, text } = await agent.request("ledger", "/", { method: "POST", body: String(n) });
      assert.deepEqual([status, text], [200, String(n)]);
      written.push(n);
    }
  })();
  const before = await agent.api<{ epoch: number }>("/api/v1/databases/ledger");
  const output = await push({
    "ledger/migrations/0004_more.sql": `CREATE TABLE slow AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 200000) SELECT count(*) FROM n;`,
  }).finally(() => {
    isOver = true;
  });
  await writing;
  assert.match(output, /migrated\s+ledger\s+"ledger": 0004_more\.sql/);
  assert.deepEqual(JSON.parse((await agent.request("ledger", "/entries")).text), written);
  const after = await agent.api<{ epoch: number }>("/api/v1/databases/ledger");
  assert.ok(after.epoch > before.epoch);
});
