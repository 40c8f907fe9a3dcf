import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { D1Script } from "../../runtime/d1/wire.js";
import { backoff } from "./backoff.js";
import { createInFlight } from "./in-flight.js";
import type { Life } from "./life.js";
import { MAX_LINE, readLines } from "./lines.js";
import { loadBudget } from "./load-budget.js";
import { createLongCalls, longCallLimit } from "./long-calls.js";
import { createMemoryGuard } from "./memory.js";
import { openRunFolder } from "./run-folder.js";
import { createRuntimeLog } from "./runtime-log.js";
import { createSilence } from "./silence.js";
import { recordLog, temporaryFolder } from "./testing.js";

test("waits longer after each failure, but not for ever longer", () => {
  assert.deepEqual([1, 2, 3, 8, 100].map(backoff), [100, 200, 400, 10_000, 10_000]);
});

test("takes silence over the whole limit for a hang, and a late tick for one tick", () => {
  const silence = createSilence({ interval: 100, limit: 300 });
  assert.deepEqual([100, 100].map(silence.tick), [false, false]);
  assert.equal(silence.tick(100), true);
  silence.answered();
  assert.equal(silence.tick(1_000_000), false);
  assert.equal(silence.tick(1_000_000), false);
});

test("is as patient as it is told while an answer is awaited that may take long, and no longer", () => {
  let patience = 500;
  const silence = createSilence({ interval: 100, limit: 200, patience: () => patience });
  assert.deepEqual([100, 100, 100, 100].map(silence.tick), [false, false, false, false]);
  assert.equal(silence.tick(100), true);
  silence.answered();
  assert.equal(silence.tick(100), false);
  patience = 0;
  assert.equal(silence.tick(100), true);
});

test("waits longer for statements of the agent than for functions, but not much, and never less", () => {
  assert.deepEqual([600, 3_000, 8_000, 30_000].map(longCallLimit), [1_200, 6_000, 10_000, 30_000]);
});

test("waits no longer for a script that counts for a function", async () => {
  const counted: [string | undefined, number][] = [];
  const script = async ({ sender }: D1Script) => {
    counted.push([sender, life.longCalls]);
    return { ok: true, results: [] };
  };
  const control = { trace: async () => {}, d1: { script } };
  const life = { longCalls: 0, tracing: false, traceKey: "", control, onAnswer: () => {} } as unknown as Life;
  const calls = createLongCalls(async () => life);
  await calls.script({ object: "a.1", sql: "" });
  await calls.script({ object: "a.1", sql: "", sender: "owner" });
  assert.deepEqual(
    [counted, life.longCalls],
    [
      [
        [undefined, 1],
        ["owner", 0],
      ],
      0,
    ],
  );
});

test("allows a large version more time to load, and none more than a share of the hang timeout", () => {
  const MIB = 2 ** 20;
  assert.deepEqual(
    [0, MIB, 10 * MIB, 64 * MIB].map((bytes) => loadBudget(bytes, 3_000)),
    [400, 460, 1_000, 1_000],
  );
  assert.deepEqual([loadBudget(0, 300), loadBudget(64 * MIB, 300)], [100, 100]);
});

test("unloads first, replaces when that did not help in time, and begins anew when it did", () => {
  const guard = createMemoryGuard({ limit: 10, patience: 5 });
  const steps = (
    [
      [9, 0],
      [11, 1],
      [11, 3],
      [11, 6],
      [9, 7],
      [12, 8],
    ] as const
  ).map(([bytes, at]) => guard.next(bytes, at));
  assert.deepEqual(steps, ["none", "evict", "none", "replace", "none", "evict"]);
});

test("knows who is in flight from lines with the key, and hides no other line", () => {
  const inFlight = createInFlight("k");
  const line = (trace: object) => `wrkst-trace ${JSON.stringify(trace)}`;
  for (const enter of ["a", "a", "b"]) assert.equal(inFlight.take(line({ key: "k", enter })), true);
  assert.equal(inFlight.take(line({ key: "k", exit: "a" })), true);
  assert.equal(inFlight.take(line({ key: "k", exit: "b" })), true);
  for (const text of [
    "wrkst-trace {",
    "hello",
    line({ key: "x", exit: "a" }),
    line({ exit: "a" }),
    "wrkst-trace null",
  ]) {
    assert.equal(inFlight.take(text), false);
  }
  assert.deepEqual(inFlight.names(), ["a"]);
});

test("cuts lines over chunks and in the middle of characters, and shortens long ones", async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  readLines(stream, (line) => lines.push(line));
  const bytes = Buffer.from(`a\nbé\r\n\n${"x".repeat(3 * MAX_LINE)}\nlast`);
  for (const byte of bytes) stream.write(Buffer.from([byte]));
  stream.end();
  await new Promise((resolve) => stream.on("close", resolve));
  assert.deepEqual(lines, ["a", "bé", "", "x".repeat(MAX_LINE), "last"]);
});

test("writes a few lines of each kind and says how many more there were", () => {
  const log = recordLog();
  let now = 0;
  const lines = createRuntimeLog({ log, process: "serving", now: () => now });
  for (let i = 0; i < 100; i++) {
    lines.line("stderr", `workerd/io/net.c++:12: error: refused; address = 10.0.0.${i}`);
    lines.line("stderr", "stack: 1a2b3c 4d5e6f");
  }
  lines.line("stderr", "workerd/server.c++:1: warning: another thing");
  now = 20_000;
  lines.line("stdout", "from a function");
  const levels = log.lines.map(({ level }) => level);
  assert.deepEqual(
    ["error", "warn", "info"].map((level) => levels.filter((found) => found === level).length),
    [6, 1, 1],
  );
  assert.ok(log.lines.some(({ message }) => message.startsWith("95 more lines like: ")));
});

test("passes on what the router reports as fields, and takes a broken report for a function's output", () => {
  const written: object[] = [];
  const write = (fields: object, message: string) => void written.push({ ...fields, message });
  const log = { debug: write, info: write, warn: write, error: write };
  const lines = createRuntimeLog({ log, process: "serving", now: () => 0 });
  const report = { event: "function.threw", function: "a", message: "oh" };
  lines.line("stderr", `wrkst-log ${JSON.stringify({ ...report, level: 60, version: {} })}`);
  for (const text of ["wrkst-log {", "wrkst-log null", 'wrkst-log {"event":1}']) lines.line("stderr", text);
  assert.deepEqual(written[0], { runtime: "serving", ...report });
  assert.deepEqual(written.length, 4);
});

test("keeps sockets in the data folder, or in a private short one where its path is too long", async (t) => {
  const temp = await temporaryFolder(t);
  const near = join(temp, "d");
  assert.equal(await openRunFolder(near), join(near, "run"));
  const deep = join(temp, "x".repeat(100));
  const far = await openRunFolder(deep, { temp });
  assert.ok(far.startsWith(join(temp, "wrkst-")));
  assert.equal(await openRunFolder(deep, { temp }), far);
  for (const folder of [far, join(near, "run")]) assert.equal((await stat(folder)).mode & 0o777, 0o700);
});
