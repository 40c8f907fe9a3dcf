// Databases of functions that were pushed: what is kept over what happens to versions and processes, and what a statement
// that does not end does to others.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createRepository, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";
import { deploy, functionOf } from "./traffic.js";

let dataDir: string;
let agent: TestAgent;
let repository: TestRepository;
const start = () => startAgent({ dataDir, env: { RUNTIME_HANG_TIMEOUT: "1s" } });

/** Counts its visits in the database of that binding. */
const counter = (version: number, binding: string) => `export default { async fetch(request, env) {
  const database = env.${binding};
  const { pathname } = new URL(request.url);
  if (pathname === "/endless") await database.prepare("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n").first();
  await database.exec("CREATE TABLE IF NOT EXISTS visits (path TEXT)");
  await database.prepare("INSERT INTO visits VALUES (?)").bind(pathname).run();
  return new Response("version ${version}, visit " + await database.prepare("SELECT count(*) AS n FROM visits").first("n"));
} };
`;
const bound = '[[d1_databases]]\nbinding = "BOOKS"\ndatabase_name = "books"\n';
const served = async (name: string, path?: string) => (await agent.request(name, path)).text;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-d1-"));
  [agent, repository] = await Promise.all([start(), createRepository()]);
  await deploy(agent, repository, {
    ...functionOf("own", counter(1, "D1")),
    ...functionOf("declared", counter(1, "BOOKS"), bound),
  });
});
after(async () => {
  await agent?.stop();
  await Promise.all([repository?.remove(), rm(dataDir, { recursive: true, force: true })]);
});

test("a function keeps data without being told to, and under the name that it declares, and neither sees the other's", async () => {
  assert.equal(await served("own"), "version 1, visit 1");
  assert.equal(await served("own"), "version 1, visit 2");
  assert.equal(await served("declared"), "version 1, visit 1");
});

test("a new version goes on with the data of the one before", async () => {
  await deploy(agent, repository, {
    ...functionOf("own", counter(2, "D1")),
    ...functionOf("declared", counter(2, "BOOKS"), bound),
  });
  assert.deepEqual([await served("own"), await served("declared")], ["version 2, visit 3", "version 2, visit 2"]);
});

test("D2: data outlives the kill of the runtime, and of the agent with everything", async () => {
  const { pid } = (await agent.status()).runtime;
  process.kill(pid!, "SIGKILL");
  await until("the runtime is back", async () => {
    const { runtime } = await agent.status().catch(() => ({ runtime: undefined }));
    return runtime?.state === "running" && runtime.pid !== pid;
  });
  assert.equal(await served("own"), "version 2, visit 4");
  await agent.kill();
  agent = await start();
  assert.equal(await served("own"), "version 2, visit 5");
  assert.equal(await served("declared"), "version 2, visit 3");
});

test("a version that asks its database at the top level is refused, with the place and what to do instead", async () => {
  const eager = `import { env } from "cloudflare:workers";\nconst books = await env.BOOKS.prepare("SELECT 1").first();\nexport default { fetch: () => Response.json(books) };\n`;
  await repository.commit(functionOf("declared", eager, bound));
  const { output } = await repository.push(agent);
  assert.match(output, /failed\s+declared\s.*declared\/index\.js:2:/);
  assert.match(output, /there is no database while a version is checked/);
  assert.match(output, /first request/);
  assert.equal(await served("declared"), "version 2, visit 4");
});

test("D1: an endless statement costs the others a moment; whose it was is quarantined at the second time, and no data is lost", async () => {
  for (const kind of ["runtime.hung", "function.quarantined"]) {
    const { restarts } = (await agent.status()).runtime;
    await agent.request("own", "/endless").catch(() => undefined);
    await until("the runtime is back", async () => {
      return ((await agent.status().catch(() => undefined))?.runtime.restarts ?? 0) > restarts;
    });
    await until(`an event "${kind}"`, async () => (await agent.events()).some((event) => event.kind === kind));
    assert.match(await served("declared"), /^version 2/);
  }
  assert.equal((await agent.functionStatus("own")).state, "quarantined");
  assert.equal((await agent.request("own")).status, 503);
  await agent.api("/api/v1/functions/own/resume", { method: "POST" });
  await until("it serves", async () => (await agent.request("own")).status === 200);
  assert.equal(await served("own"), "version 2, visit 7");
});
