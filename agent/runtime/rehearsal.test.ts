import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { D1_DEFAULTS } from "../../runtime/d1/wire.js";
import { findByEnvironment, killGroup } from "./identity.js";
import { OWNER_VARIABLE } from "./lock.js";
import { openRehearsals } from "./rehearsal.js";
import { openRunFolder } from "./run-folder.js";
import { recordLog, temporaryFolder, until } from "./testing.js";
import { rehearsalConfig } from "./workerd-config.js";

const rehearsalJs = await readFile(new URL("../../runtime/rehearsal.worker.js", import.meta.url), "utf8");
const SIGNAL = new AbortController().signal;
const ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
const LONG = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 6000000) SELECT count(*) FROM n";
const GREEDY = "WITH RECURSIVE n(x) AS (SELECT zeroblob(900000000)) SELECT max(hex(x)) FROM n";

async function testRehearsals(t: TestContext, changes: { hangTimeout?: number; idle?: number } = {}) {
  const dataDir = await temporaryFolder(t, () => rehearsals.close());
  const temporary = join(dataDir, "tmp");
  const rehearsals = openRehearsals({
    ...{ dataDir, temporary, name: "rehearsal", log: recordLog(), hangTimeout: 1_500, ...changes },
    runDir: await openRunFolder(dataDir),
    writeConfig: async (paths) => rehearsalConfig({ rehearsalJs, ...paths, d1: D1_DEFAULTS }),
  });
  const run = (sql: string, object = "copy.1") =>
    rehearsals.hold(SIGNAL, ({ script }) => script({ object, sql, quiet: true }));
  const processes = () => findByEnvironment(OWNER_VARIABLE, dataDir);
  const left = async () => [
    ...processes(),
    ...(await readdir(temporary).catch(() => [])),
    ...(await readdir(join(dataDir, "run"))).filter((name) => name.includes("rehearsal")),
  ];
  return { rehearsals, run, processes, left };
}

test("what goes well or fails there is answered by one process after the other, which is ended when nobody needs it", async (t) => {
  const { rehearsals, run, processes, left } = await testRehearsals(t);
  assert.ok((await run("CREATE TABLE t (x)")).kind === "answer");
  const [first] = processes();
  const failed = await run("INSERT INTO nowhere VALUES (1)");
  assert.ok(failed.kind === "answer" && !failed.answer.ok && /no such table/.test(failed.answer.error));
  assert.deepEqual(processes(), [first]);
  await rehearsals.close();
  assert.deepEqual(await left(), []);
  await assert.rejects(run("SELECT 1"), { code: "ERR_SUPERSEDED" });
});

test("what takes too much time or memory is refused, its process and folder are gone, and the next goes well, also with more time", async (t) => {
  const { rehearsals, run, left } = await testRehearsals(t);
  const late = await run(ENDLESS);
  assert.ok(late.kind === "refused" && /500 ms of processor time/.test(late.reason), JSON.stringify(late));
  assert.deepEqual(await left(), []);
  const patient = await rehearsals.hold(SIGNAL, ({ script }) => script({ object: "copy.1", sql: LONG }, 60_000));
  assert.equal(patient.kind, "answer");
  const greedy = await run(GREEDY);
  assert.ok(greedy.kind === "refused" || !greedy.answer.ok, JSON.stringify(greedy));
  assert.equal((await run("SELECT 1")).kind, "answer");
});

test("a process without work is ended after a while", async (t) => {
  const { run, left } = await testRehearsals(t, { idle: 1 });
  await run("SELECT 1");
  await until(async () => (await left()).length === 0, "nothing is left");
  assert.equal((await run("SELECT 1")).kind, "answer");
});

test("work under way when all is closed is given up, and is nobody's fault", async (t) => {
  const { rehearsals, left } = await testRehearsals(t, { hangTimeout: 60_000 });
  let begin = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const work = rehearsals.hold(SIGNAL, async ({ script }) => {
    await script({ object: "copy.1", sql: "SELECT 1" });
    begin();
    return script({ object: "copy.1", sql: ENDLESS });
  });
  await begun;
  await Promise.all([assert.rejects(work, { code: "ERR_SUPERSEDED" }), rehearsals.close()]);
  assert.deepEqual(await left(), []);
});

test("a process that is about to start when all is closed is ended too", async (t) => {
  const { rehearsals, run, processes, left } = await testRehearsals(t);
  const work = assert.rejects(run("SELECT 1"), { code: "ERR_SUPERSEDED" });
  await until(() => processes().length, "the process");
  await rehearsals.close();
  assert.deepEqual(await left(), []);
  await work;
});

test("a process that somebody killed is replaced", async (t) => {
  const { run, processes } = await testRehearsals(t);
  await run("SELECT 1");
  await killGroup(processes()[0]!);
  await until(async () => (await run("SELECT 1").catch(() => undefined))?.kind === "answer", "another process");
});
