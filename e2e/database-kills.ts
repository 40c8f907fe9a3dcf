// For the tests of what survives: functions write to a database while its process is killed again and again.
import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { D1_UNIQUE_KEY } from "../runtime/d1/wire.js";
import { artifactBytes, digestOf, entryOf, startServing, until, versionId } from "../runtime/testing/workerd.js";

/** Each call adds a row and counts it in another table, in one transaction; answers the count. */
const WRITER = `export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  if (pathname === "/make") {
    await env.D1.exec("CREATE TABLE IF NOT EXISTS counter (n INTEGER)\\nCREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, filling BLOB)");
    await env.D1.exec("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter)");
    return new Response("made");
  }
  if (pathname === "/all") {
    const [counter, log, check] = await env.D1.batch(["SELECT n FROM counter", "SELECT n FROM log ORDER BY n", "PRAGMA quick_check"].map((sql) => env.D1.prepare(sql)));
    return Response.json({ counter: counter.results[0].n, log: log.results.map(({ n }) => n), check: check.results[0].quick_check });
  }
  const size = 10 + Math.floor(Math.random() * 20_000);
  const [{ results }] = await env.D1.batch([
    env.D1.prepare("UPDATE counter SET n = n + 1 RETURNING n"),
    env.D1.prepare("INSERT INTO log SELECT n, randomblob(?) FROM counter").bind(size),
  ]);
  return new Response(String(results[0].n));
} };`;
const HOST = "writer.base.test";
const WRITERS = 8;
/** Milliseconds after the first write of a round, within which the process is killed. */
const LONGEST = 300;

export interface Survived {
  acknowledged: number;
  kept: number;
}

/** @throws AssertionError when something acknowledged is missing, or anything is torn */
export async function surviveKills(t: TestContext, rounds: number): Promise<Survived> {
  const bytes = artifactBytes({ "index.js": WRITER });
  const serving = await startServing(t, { table: tableOf(digestOf(bytes)) });
  await serving.store(bytes);
  assert.equal((await serving.get(HOST, "/make")).text, "made");
  const acknowledged: number[] = [];
  let kept = 0;
  for (let round = 0; round < rounds; round++) {
    const isOver = new AbortController();
    const writers = Array.from({ length: WRITERS }, () => write(serving, acknowledged, isOver.signal));
    const before = acknowledged.length;
    await until(() => acknowledged.length > before, "a write");
    await delay(Math.random() * LONGEST);
    serving.child.kill("SIGKILL");
    isOver.abort();
    await Promise.all(writers);
    await serving.restart();
    kept = await verify(serving, acknowledged, round);
  }
  serving.child.kill("SIGKILL");
  await checkFiles(join(serving.dataDir, "do", D1_UNIQUE_KEY));
  return { acknowledged: acknowledged.length, kept };
}

type Serving = Awaited<ReturnType<typeof startServing>>;

async function write(serving: Serving, acknowledged: number[], over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const answer = await serving.get(HOST, "/write").catch(() => undefined);
    if (answer?.status === 200) acknowledged.push(Number(answer.text));
  }
}

async function verify(serving: Serving, acknowledged: number[], round: number): Promise<number> {
  const all = (await serving.get(HOST, "/all")).json() as { counter: number; log: number[]; check: string };
  const said = `after kill ${round + 1}`;
  assert.equal(all.check, "ok", said);
  assert.deepEqual(
    all.log,
    Array.from({ length: all.counter }, (_, index) => index + 1),
    said,
  );
  const missing = acknowledged.filter((number) => number > all.counter);
  assert.deepEqual(missing, [], said);
  return all.counter;
}

/** By another SQLite than the one that wrote them, on a copy, since to open is to repair. */
async function checkFiles(folder: string): Promise<void> {
  const copy = await mkdtemp(join(tmpdir(), "wrkst-copy-"));
  try {
    await cp(folder, copy, { recursive: true });
    for (const name of (await readdir(copy)).filter((file) => file.endsWith(".sqlite"))) {
      const database = new Database(join(copy, name));
      assert.deepEqual(database.pragma("integrity_check", { simple: true }), "ok", name);
      database.close();
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

function tableOf(artifact: string) {
  const spec = {
    ...{ id: versionId(1), artifact, compatibilityDate: "2026-08-01", compatibilityFlags: [], vars: {} },
    ...{ entrypoints: ["default"], egress: "none" as const, generation: 0, databases: { D1: "writer.1" } },
  };
  return { generation: 1, functions: { writer: entryOf(spec) }, revisions: [] };
}
