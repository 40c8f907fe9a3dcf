// Control calls in a real workerd: switches, preparation, traces.
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { entryOf, startServing, until } from "./testing/workerd.js";
import {
  type PrepareResult,
  type RuntimeCounts,
  type RuntimeState,
  TRACE_PREFIX,
  type TraceLine,
  UNNAMED,
} from "./wire.js";

const HELLO = `let n = 0; export default { fetch() { return new Response("hello " + ++n); } };`;

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

type Serving = Awaited<ReturnType<typeof startServing>>;
const stateOf = async (serving: Serving) => (await serving.control("/state")).json() as RuntimeState;
const traceOf = (serving: Serving, key: string) =>
  serving.stdout
    .filter((line) => line.startsWith(TRACE_PREFIX))
    .map((line) => JSON.parse(line.slice(TRACE_PREFIX.length)) as TraceLine)
    .filter((line) => line.key === key)
    .map((line) => ("enter" in line ? `+${line.enter}` : "exit" in line ? `-${line.exit}` : `!${line.statement}`));

test("a change that does not start from what is served is refused, and nothing of it is done", async (t) => {
  const serving = await startServing(t);
  const spec = await serving.version(HELLO);
  await serving.publish({ a: spec });
  const change = { from: 7, to: 8, functions: { a: null, b: entryOf(spec) }, revisions: [] };
  const answer = await serving.control("/change", change);
  assert.equal(answer.status, 409);
  assert.deepEqual(answer.json(), { generation: 1 });
  assert.equal((await serving.get("a.base.test")).status, 200);
  assert.equal((await serving.get("b.base.test")).status, 404);
});

test("what is no change or no table is refused", async (t) => {
  const serving = await startServing(t);
  const bad = [
    {},
    { from: 0, to: 1, functions: { a: {} }, revisions: [] },
    { from: 0, to: 1, functions: [], revisions: [] },
  ];
  for (const body of bad) assert.equal((await serving.control("/change", body)).status, 400);
  assert.equal((await serving.control("/replace", { generation: 1 })).status, 400);
  assert.equal((await serving.control("/nothing", {})).status, 404);
  assert.equal((await stateOf(serving)).generation, 0);
});

test("a whole table replaces everything in one step", async (t) => {
  const serving = await startServing(t);
  const spec = await serving.version(HELLO);
  await serving.publish({ old: spec, kept: spec });
  await serving.get("kept.base.test");
  const table = { generation: 40, functions: { kept: entryOf(spec), fresh: entryOf(spec) }, revisions: [] };
  assert.deepEqual((await serving.control("/replace", table)).json(), { generation: 40 });
  assert.equal((await serving.get("old.base.test")).status, 404);
  assert.equal((await serving.get("kept.base.test")).text, "hello 2");
  assert.equal((await serving.get("fresh.base.test")).text, "hello 1");
  const { generation, functions } = await stateOf(serving);
  assert.deepEqual({ generation, functions }, { generation: 40, functions: 2 });
});

test("answers are counted by function and class, also those that it never gave itself", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    hello: HELLO,
    odd: `export default { fetch({ url }) { if (url.endsWith("/throw")) throw 1; return new Response("", { status: 404 }); } };`,
  });
  const late = { ...(await serving.version(HELLO)), artifact: "0".repeat(64) };
  for (const path of ["/", "/", "/throw"]) await serving.get("odd.base.test", path);
  await Promise.all(Array.from({ length: 10 }, () => serving.get("hello.base.test")));
  await serving.get("nobody.base.test");
  const counts = (await serving.control("/counts")).json() as RuntimeCounts;
  assert.deepEqual(counts.functions, { hello: [0, 10, 0, 0, 0], odd: [0, 0, 0, 2, 1], [UNNAMED]: [0, 0, 0, 0, 0] });
  assert.equal(sum(counts.buckets), 13);
  assert.deepEqual([counts.isolates, counts.coldLoads], [2, 2]);
  await serving.publish({ late });
  assert.equal((await serving.get("late.base.test")).status, 503);
  const again = (await serving.control("/counts")).json() as RuntimeCounts;
  assert.equal(again.process, counts.process);
  assert.deepEqual(again.functions.late, [0, 0, 0, 0, 1]);
});

test("requests in flight finish on the version they began with, and no switch fails one", async (t) => {
  const serving = await startServing(t);
  const source = (number: number) =>
    `export default { async fetch() { await new Promise((r) => setTimeout(r, 15)); return new Response("${number}"); } };`;
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  t.after(() => agent.destroy());
  await serving.deploy({ f: source(0) });
  let isOver = false;
  let published = 0;
  const problems: string[] = [];
  const client = async () => {
    let newest = 0;
    while (!isOver) {
      const floor = published;
      const answer = await serving.get("f.base.test", "/", { agent });
      const number = Number(answer.text);
      if (answer.status !== 200 || number < newest || number < floor)
        problems.push(`${answer.status} ${answer.text} after ${newest}, ${floor}`);
      newest = Math.max(newest, number);
    }
  };
  const clients = Array.from({ length: 8 }, client);
  for (let number = 1; number <= 40; number++) {
    await serving.deploy({ f: source(number) });
    published = number;
  }
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual(problems, []);
});

test("versions are prepared before they are routed, and health paths asked", async (t) => {
  const serving = await startServing(t);
  const health = `export default { fetch(request) { const { pathname } = new URL(request.url);
    if (pathname === "/ok") return new Response("fine"); if (pathname === "/slow") return new Promise((r) => setTimeout(r, 60000)); if (pathname === "/throw") throw new Error("no"); return new Response("no", { status: 500 }); } };`;
  const [good, ok, bad, slow, thrown] = await Promise.all(
    [HELLO, health, health, health, health].map((source) => serving.version(source)),
  );
  const broken = await serving.version("throw new Error('at top level'); export default {};");
  const versions = [
    { function: "a", spec: good! },
    { function: "b", spec: ok!, health: "/ok" },
    { function: "c", spec: bad!, health: "/bad" },
    { function: "d", spec: slow!, health: "/slow" },
    { function: "e", spec: thrown!, health: "/throw" },
    { function: "f", spec: broken },
  ];
  const result = (await serving.control("/prepare", { versions })).json() as PrepareResult;
  assert.equal(result.versions[good!.id], null);
  assert.equal(result.versions[ok!.id], null);
  assert.equal(result.versions[bad!.id]!.kind, "health");
  assert.match(result.versions[bad!.id]!.message, /500/);
  assert.match(result.versions[slow!.id]!.message, /2 s/);
  assert.equal(result.versions[thrown!.id]!.kind, "health");
  assert.equal(result.versions[broken.id]!.kind, "load");
  assert.match(result.versions[broken.id]!.message, /at top level[\s\S]*index\.js:1/);
  assert.equal((await stateOf(serving)).functions, 0);
  const before = (await stateOf(serving)).coldLoads;
  await serving.publish({ a: good! });
  assert.equal((await serving.get("a.base.test")).text, "hello 1");
  assert.equal((await stateOf(serving)).coldLoads, before);
});

test("a trace names what runs, until its waitUntil is done", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    quick: HELLO,
    later: `let isOver = false;
    const over = async () => { while (!isOver) await scheduler.wait(5); };
    export default { fetch({ url }, env, ctx) { if (url.endsWith("/end")) isOver = true; else ctx.waitUntil(over()); return new Response(); } };`,
    throws: `export default { fetch() { throw new Error("x"); } };`,
  });
  await serving.get("quick.base.test");
  await serving.control("/trace", { on: true, key: "secret" });
  await serving.get("quick.base.test");
  await until(() => traceOf(serving, "secret").length === 4, "load and request of quick");
  assert.deepEqual(traceOf(serving, "secret"), ["+quick", "-quick", "+quick", "-quick"]);
  await serving.get("throws.base.test");
  await serving.get("later.base.test");
  const later = () =>
    traceOf(serving, "secret")
      .filter((line) => line.endsWith("later"))
      .join();
  await until(() => later() === "+later,-later,+later", "load and request of later");
  await serving.get("later.base.test", "/end");
  await until(() => later().startsWith("+later,-later,+later,+later,-later,-later"), "the end of waitUntil");
  assert.equal(traceOf(serving, "secret").filter((line) => line.endsWith("throws")).length, 4);
  await serving.control("/trace", { on: false, key: "secret" });
  const told = traceOf(serving, "secret").length;
  assert.equal((await serving.get("quick.base.test")).text, "hello 1");
  assert.equal(traceOf(serving, "secret").length, told);
});

test("what entered comes out on stdout before an endless loop freezes everything", async (t) => {
  const serving = await startServing(t, { settings: { traceKey: "from-start" } });
  await serving.deploy({
    loop: `export default { fetch() { for (;;) {} } };`,
    toplevel: `for (;;) {} export default {};`,
  });
  const socket = connect(serving.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: loop.base.test\r\n\r\n");
  await until(() => traceOf(serving, "from-start").join() === "+loop,-loop,+loop", "the entry");
});

test("evicting during a trace leaves nobody inside", async (t) => {
  const serving = await startServing(t, { settings: { traceKey: "key" } });
  await serving.deploy({
    slow: `export default { async fetch(request) { await request.text(); return new Response("done"); } };`,
  });
  const body = new PassThrough();
  const answer = serving.get("slow.base.test", "/", { body });
  await until(() => traceOf(serving, "key").length === 3, "the entry");
  await serving.control("/evict", { functions: ["slow"] });
  body.end();
  assert.equal((await answer).text, "done");
  const inside = () => traceOf(serving, "key").reduce((sum, line) => sum + (line.startsWith("+") ? 1 : -1), 0);
  await until(() => inside() === 0, "the exit");
});
