// Supervisor and the product's own router together: the suspects depend on its trace lines and the names of its isolates.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { D1_DEFAULTS } from "../../runtime/d1/wire.js";
import { type RouteTable, type VersionSpec, WARDS } from "../../runtime/wire.js";
import { writeRouteTable } from "../route/table-file.js";
import { databaseSocket, wardSockets } from "./run-folder.js";
import { artifactOf, entered, testRuntime, until } from "./testing.js";
import { servingConfig } from "./workerd-config.js";

const FUNCTIONS = {
  hello: `export default { fetch() { return new Response("hello"); } };`,
  loop: `export default { fetch() { for (;;) {} } };`,
  waits: `export default { async fetch(request) {
    if (request.url.endsWith("now")) return new Response(request.headers.get("cf-connecting-ip"));
    await new Promise((resolve) => setTimeout(resolve, 60_000)); return new Response(); } };`,
  later: `export default { fetch(request, env, ctx) {
    ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 50)).then(() => { for (;;) {} }));
    return new Response("later");
  } };`,
  sql: `const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
  export default { async fetch(request, { DB }, ctx) {
    const what = new URL(request.url).pathname;
    const later = (work) => ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 50)).then(work));
    if (what === "/later") later(() => { for (;;) {} });
    if (what === "/unawaited") later(() => void DB.prepare(ENDLESS).first());
    if (what !== "/slow" && what !== "/write") return new Response("answered");
    try {
      if (what === "/slow") await DB.prepare(ENDLESS).first();
      await DB.exec("CREATE TABLE IF NOT EXISTS kept (a); INSERT INTO kept VALUES (1)");
      return new Response(String(await DB.prepare("SELECT count(*) n FROM kept").first("n")));
    } catch (error) { return new Response(error.message); }
  } };`,
};
const DATABASES: Record<string, VersionSpec["databases"]> = { sql: { DB: "sql.1" } };

async function writeTable(dataDir: string): Promise<void> {
  const table: RouteTable = { generation: 1, functions: {}, revisions: [] };
  for (const [name, code] of Object.entries(FUNCTIONS)) {
    const bytes = artifactOf(code);
    const artifact = createHash("sha256").update(bytes).digest("hex");
    await mkdir(join(dataDir, "artifacts", artifact.slice(0, 2)), { recursive: true });
    await writeFile(join(dataDir, "artifacts", artifact.slice(0, 2), artifact), bytes);
    const spec: VersionSpec = {
      ...{ id: `${artifact.slice(0, 8)}-0000-8000-8000-000000000000`, artifact, compatibilityDate: "2026-08-01" },
      ...{ compatibilityFlags: [], vars: {}, entrypoints: ["default"], egress: "none" as const, generation: 0 },
      ...(DATABASES[name] && { databases: DATABASES[name] }),
    };
    table.functions[name] = { latest: spec.id, aliases: {}, versions: { [spec.id]: spec }, history: [], hosts: [] };
  }
  await mkdir(join(dataDir, "do"), { recursive: true });
  // In one step, as the agent does: a ward may read it while the serving process is started anew.
  await writeRouteTable(join(dataDir, "routes"), table);
}

async function startSupervised(t: TestContext) {
  const routerJs = await readFile(new URL("../../runtime/router.worker.js", import.meta.url), "utf8");
  const made = await testRuntime(t, {
    wards: WARDS,
    beforeStart: () => writeTable(made.dataDir),
    writeConfig: async ({ traceKey, wards, ward }) => {
      const { dataDir } = made;
      const runDir = join(dataDir, "run");
      const sockets = ward === undefined ? undefined : wardSockets(runDir, ward);
      return servingConfig({
        routerJs,
        dataDir,
        listen: { address: sockets ? `unix:${sockets.requests}` : "127.0.0.1:0" },
        controlSocket: sockets?.control ?? join(runDir, "control.sock"),
        wardSockets: sockets ? [] : Array.from({ length: WARDS }, (_, n) => wardSockets(runDir, n).requests),
        isWard: sockets !== undefined,
        agentSocket: join(runDir, "agent.sock"),
        databaseSocket: databaseSocket(runDir),
        egress: { allow: [], deny: [] },
        settings: {
          ...{ baseDomain: "base.test", apiHosts: ["base.test"], useForwardedHost: false, trustedProxies: [] },
          ...{ maxIsolates: 100, d1: D1_DEFAULTS, ...(traceKey === undefined ? {} : { traceKey }) },
          ...(wards === undefined ? {} : { wards }),
        },
      });
    },
  });
  const { runtime } = made;
  const ask = (name: string, headers: Record<string, string> = {}) =>
    new Promise<string>((resolve, reject) => {
      const host = `${name.split("?", 1)[0]}.base.test`;
      const [, path = ""] = name.split("?");
      const options = {
        port: runtime.ports().public,
        host: "127.0.0.1",
        path: `/${path}`,
        headers: { ...headers, host },
      };
      get(options, (answer) => text(answer).then(resolve, reject)).on("error", reject);
    });
  await runtime.start();
  return { ...made, ask, enter: (name: string) => entered(runtime, () => ask(name)) };
}

test("D1: serves again after a freeze, and names the function that was alone at the second", async (t) => {
  const { ask, event } = await startSupervised(t);
  assert.equal(await ask("hello"), "hello");
  await assert.rejects(ask("loop"));
  await event("runtime.started", 2);
  assert.equal(await ask("hello"), "hello");
  await assert.rejects(ask("loop"));
  assert.deepEqual((await event("runtime.culprit")).suspects, ["loop"]);
  await event("runtime.started", 3);
  assert.equal(await ask("hello"), "hello");
});

test("D1: who freezes the runtime while a victim is in flight is proven in a process of its own, and the victim serves on", async (t) => {
  const { runtime, ask, enter, event, events } = await startSupervised(t);
  await assert.rejects(ask("loop"));
  await event("runtime.started", 2);
  const victim = await enter("waits");
  assert.equal(await ask("later"), "later");
  await victim.answer;
  assert.deepEqual((await event("runtime.suspects")).suspects, ["later", "waits"]);
  await event("runtime.started", 3);
  const { pid } = runtime.status();

  const forged = { "x-wrkst-cf": JSON.stringify({ clientIp: "6.6.6.6" }) };
  await until(
    async () => (await ask("waits?now", forged)) === "127.0.0.1",
    "the victim's answer, with its client's address",
  );
  await until(async () => (await ask("later")) === "later", "the answer of the guilty one");
  assert.equal(await ask("hello"), "hello");
  assert.equal(await ask("waits?now"), "127.0.0.1");
  assert.deepEqual((await event("runtime.culprit")).suspects, ["later"]);
  assert.equal(await ask("waits?now"), "127.0.0.1");
  assert.equal(runtime.status().pid, pid);
  assert.equal(events.filter(({ kind }) => kind === "runtime.culprit").length, 1);
});

test("a ward follows the routes, and loads versions ahead for the serving process", async (t) => {
  const { runtime, dataDir, ask, enter, event } = await startSupervised(t);
  await assert.rejects(ask("loop"));
  await event("runtime.started", 2);
  const victim = await enter("waits");
  await ask("later");
  await victim.answer;
  await event("runtime.started", 3);
  await until(async () => (await ask("waits?now")) === "127.0.0.1", "the ward");
  const { functions } = JSON.parse(await readFile(join(dataDir, "routes", "table.json"), "utf8")) as RouteTable;
  const waits = functions.waits!;
  const spec = waits.versions[waits.latest!]!;
  assert.deepEqual((await runtime.prepare({ versions: [{ function: "waits", spec }] })).versions, { [spec.id]: null });
  const entry = { ...waits, latest: functions.hello!.latest, versions: functions.hello!.versions };
  await runtime.change({ from: 1, to: 2, functions: { waits: entry }, revisions: [] });
  assert.equal(await ask("waits"), "hello");
});

test("an endless statement of the agent is ended, later than a function's would be, and nobody is accused of it", async (t) => {
  const { runtime, ask, event, events } = await startSupervised(t);
  const endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
  await ask("hello");
  await assert.rejects(runtime.d1.call({ object: "slow.1", statements: [{ sql: endless }] }), { code: "ERR_RUNTIME" });
  assert.match((await event("runtime.hung")).message, /^statements of the agent .* 1200 ms/);
  await event("runtime.started", 2);
  assert.equal(await ask("hello"), "hello");
  assert.deepEqual(
    events.filter(({ suspects }) => suspects),
    [],
  );
});

test("D1: an endless statement is ended, and at the second its function is known, though it has answered and another is in flight", async (t) => {
  const { ask, enter, event, events } = await startSupervised(t);
  await assert.rejects(ask("sql?slow"));
  await event("runtime.started", 2);
  const victim = await enter("waits");
  assert.equal(await ask("sql?unawaited"), "answered");
  await victim.answer;
  assert.deepEqual((await event("runtime.culprit")).suspects, ["sql"]);
  await event("runtime.started", 3);
  assert.equal(await ask("hello"), "hello");
  assert.equal(await ask("waits?now"), "127.0.0.1");
  assert.equal(events.filter(({ kind }) => kind === "runtime.suspects").length, 0);
});

test("D1: an endless statement from a ward is ended where it runs, its function is known and told, and others serve on", async (t) => {
  const { runtime, ask, enter, event, events } = await startSupervised(t);
  assert.equal(await ask("sql?write"), "1");
  await assert.rejects(ask("loop"));
  await event("runtime.started", 2);
  const victim = await enter("waits");
  assert.equal(await ask("sql?later"), "answered");
  await victim.answer;
  assert.deepEqual((await event("runtime.suspects")).suspects, ["sql", "waits"]);
  await event("runtime.started", 3);
  await until(async () => Number(await ask("sql?write")) > 1, "the same database, from the ward");
  await until(async () => (await ask("waits?now")) === "127.0.0.1", "the other ward");
  const { pid } = runtime.status();
  const kept = Number(await ask("sql?write"));

  const waiting = ask("waits").catch(() => "ended");
  const slow = ask("sql?slow").catch(() => "ended");
  assert.deepEqual((await event("runtime.culprit")).suspects, ["sql"]);
  await event("runtime.started", 4);
  assert.notEqual(runtime.status().pid, pid);
  await Promise.all([waiting, slow]);
  assert.equal(await ask("hello"), "hello");
  assert.equal(await ask("waits?now"), "127.0.0.1");
  assert.equal(await ask("sql?write"), String(kept + 1));
  assert.equal(events.filter(({ kind }) => kind === "runtime.culprit").length, 1);
});

test("D1: a loop is ended as soon as ever while a call of the agent waits", async (t) => {
  const { runtime, ask, event } = await startSupervised(t);
  const write = (sql: string) => runtime.d1.call({ object: "busy.1", statements: [{ sql }] });
  const rows =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16) SELECT hex(zeroblob(500000)) AS text FROM n";
  assert.equal((await write(`CREATE TABLE t AS ${rows}`)).ok, true);
  const dump = await runtime.d1.dump({ object: "busy.1" });
  t.after(() => dump.destroy());
  const waiting = write("DELETE FROM t").catch(() => "ended");
  await assert.rejects(ask("loop"));
  await event("runtime.hung");
  assert.equal(await waiting, "ended");
  await event("runtime.started", 2);
  assert.equal(await ask("hello"), "hello");
});
