import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CheckResult } from "../../runtime/wire.js";
import { openChecker } from "./checker.js";
import { openRunFolder } from "./run-folder.js";
import { artifactOf, checkerConfig, recordLog, temporaryFolder, until } from "./testing.js";

const GOOD = "export default { fetch() { return new Response(); } }; export class Named {};";

async function testChecker(
  t: TestContext,
  limits = { milliseconds: 400, memoryBytes: 200 * 2 ** 20 },
  hangTimeout = 3_000,
) {
  const dataDir = await temporaryFolder(t, () => checker.close());
  const runDir = await openRunFolder(dataDir);
  const log = recordLog();
  const writeConfig = async (path: string) => checkerConfig(path);
  const checker = openChecker({ dataDir, runDir, writeConfig, limits, hangTimeout, log });
  const check = (code: string, changes: { compatibilityDate?: string; vars?: object; signal?: AbortSignal } = {}) => {
    const { compatibilityDate = "2026-08-01", vars = {}, signal = new AbortController().signal } = changes;
    const spec = { compatibilityDate, compatibilityFlags: [], vars: { ...vars } };
    return checker.check({ artifact: artifactOf(code), spec }, signal);
  };
  return { checker, check, runDir, log };
}

function assertRefused(result: CheckResult, message: RegExp): void {
  assert.ok(!result.ok);
  assert.match(result.message, message);
}

test("accepts what loads, and says what it exports", async (t) => {
  const { check } = await testChecker(t);
  const result = await check(GOOD, { vars: { GREETING: "grüß Gott", LONG: "x".repeat(50_000) } });
  assert.ok(result.ok);
  assert.deepEqual(result.entrypoints, ["Named", "default"]);
});

const REFUSED: [name: string, code: string, message: RegExp, compatibilityDate?: string][] = [
  ["a syntax error", "export default {", /SyntaxError/],
  ["a top level that throws", "const x = undefined;\nx.y;", /TypeError: .*\n.*index\.js:2:3/],
  ["an import of a module that is not there", 'import "./nope.js"; export default {};', /nope\.js/],
  ["a compatibility date in the future", GOOD, /compatibility date/i, "2999-01-01"],
];

test("refuses what does not load, and says why", async (t) => {
  const { check } = await testChecker(t);
  for (const [name, code, message, compatibilityDate] of REFUSED) {
    await t.test(name, async () => {
      assertRefused(await check(code, compatibilityDate ? { compatibilityDate } : {}), message);
    });
  }
});

test("refuses only the version that loops, of many that are checked at once", async (t) => {
  const { check } = await testChecker(t);
  const codes = Array.from({ length: 21 }, (_, index) => (index === 4 ? "for (;;) {}" : `${GOOD} // ${index}`));
  const results = await Promise.all(codes.map((code) => check(code)));
  assertRefused(results[4]!, /did not finish within 0\.4 s/);
  assert.deepEqual(
    results.map(({ ok }) => ok),
    codes.map((_, index) => index !== 4),
  );
});

/** Some hundred milliseconds of processor time; more than the budget of a runtime with a short hang timeout. */
const DEAR = `let x = 0; for (let i = 0; i < 40_000_000; i++) x = (x + Math.sqrt(i)) % 7; globalThis.x = x; ${GOOD}`;

test("refuses a top level that costs more than its share of the hang timeout, whatever its neighbours cost", async (t) => {
  const limits = { milliseconds: 5_000, memoryBytes: 200 * 2 ** 20 };
  const { check } = await testChecker(t, limits, 450);
  const results = await Promise.all([check(GOOD), check(DEAR), check(`${GOOD} // neighbour`)]);
  assertRefused(results[1]!, /used \d+ ms of processor time: expected at most 150 ms/);
  assert.ok(results[0]!.ok && results[2]!.ok);
});

test("ends a check that nobody waits for any more, and its process with it", async (t) => {
  const { check, runDir } = await testChecker(t, { milliseconds: 60_000, memoryBytes: 200 * 2 ** 20 });
  const controller = new AbortController();
  const looping = check("for (;;) {}", { signal: controller.signal });
  await until(async () => (await readdir(runDir)).includes("check-0.sock"), "a checker");
  controller.abort(new Error("no more"));
  await assert.rejects(looping, /no more/);
  await until(async () => !(await readdir(runDir)).includes("check-0.sock"), "the end of the checker");
  assert.ok((await check(GOOD)).ok);
});

test("refuses a version that devours memory, and only that", async (t) => {
  const { check } = await testChecker(t, { milliseconds: 5_000, memoryBytes: 200 * 2 ** 20 });
  const bomb = "const all = []; for (;;) all.push(new Uint8Array(2 ** 24).fill(1));";
  const results = await Promise.all([check(GOOD), check(bomb), check(GOOD)]);
  assertRefused(results[1]!, /used more than 200 MiB/);
  assert.ok(results[0]!.ok && results[2]!.ok);
});

test("gives up waiting when the signal aborts, before and while it is checked", async (t) => {
  const { check } = await testChecker(t);
  const aborted = AbortSignal.abort(new Error("enough"));
  await assert.rejects(check(GOOD, { signal: aborted }), /enough/);
  const controller = new AbortController();
  const looping = check("for (;;) {}", { signal: controller.signal });
  const neighbour = check(GOOD);
  controller.abort(new Error("no more"));
  await assert.rejects(looping, /no more/);
  assert.ok((await neighbour).ok);
});

test("goes on after 300 checks in a process of its own, and leaves nothing behind", async (t) => {
  const { checker, check, runDir } = await testChecker(t);
  const results = await Promise.all(Array.from({ length: 320 }, (_, index) => check(`${GOOD} // ${index}`)));
  assert.ok(results.every(({ ok }) => ok));
  await checker.close();
  await assert.rejects(check(GOOD), { code: "ERR_RUNTIME" });
  assert.deepEqual(await readdir(runDir), []);
});

test("a checker that does not start is an error of ours, not of the version", async (t) => {
  const dataDir = await temporaryFolder(t, () => checker.close());
  const runDir = await openRunFolder(dataDir);
  const checker = openChecker({ dataDir, runDir, writeConfig: async () => "nonsense\n", log: recordLog() });
  const spec = { compatibilityDate: "2026-08-01", compatibilityFlags: [], vars: {} };
  const { signal } = new AbortController();
  await assert.rejects(checker.check({ artifact: artifactOf(GOOD), spec }, signal), { code: "ERR_RUNTIME" });
  assert.deepEqual(
    (await readdir(join(dataDir, "run"))).filter((name) => name.startsWith("workerd-")),
    [],
  );
});
