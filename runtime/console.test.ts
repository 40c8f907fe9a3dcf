// What a function may write to its console, in a real workerd: little as it stands, much within bounds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startServing, until } from "./testing/workerd.js";

const length = (lines: string[]) => lines.reduce((sum, line) => sum + line.length, 0);

test("a few messages are written as they were meant, by every method", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    calm: `const { log } = console;
    export default { fetch() {
      log("%s has %d", "log", 1, { a: [1, { b: new Map([["c", 2n]]) }] });
      console.log(new Proxy({}, { ownKeys() { throw 1; } }), new Uint8Array(3), null, undefined, Symbol("s"), () => 1);
      for (const name of ["debug", "info", "warn", "error"]) console[name](name);
      return new Response(Object.entries(console).slice(0, 5).map(([name, method]) => name === method.name).join());
    } };`,
  });
  assert.equal((await serving.get("calm.base.test")).text, "true,true,true,true,true");
  await until(() => serving.stdout.includes("info") && serving.stderr.includes("error"), "all is written");
  assert.equal(serving.stdout[0], "log has 1 { a: [ 1, { b: [Map] } ] }");
  assert.match(
    serving.stdout[1]!,
    /^Proxy\(\{\}\) Uint8Array\(3\) \[ 0, 0, 0 \] null undefined Symbol\(s\) \[Function/,
  );
  assert.deepEqual(serving.stdout.slice(2), ["debug", "info"]);
  assert.deepEqual(serving.stderr, ["warn", "error"]);
});

test("of 100 MB at once little is written, and how many messages were dropped is told", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    loud: `export default { async fetch() {
      const text = "x".repeat(10_000);
      for (let i = 0; i < 10_000; i++) console.log(text);
      await scheduler.wait(1000);
      console.log("at last");
      return new Response("done");
    } };`,
  });
  assert.equal((await serving.get("loud.base.test")).text, "done");
  await until(() => serving.stdout.includes("at last"), "the last message");
  assert.ok(length(serving.stdout) < 2 ** 22, `${length(serving.stdout)} characters`);
  const dropped = serving.stdout.map((line) => Number(/^\((\d+) messages .* dropped\)$/.exec(line)?.[1] ?? 0));
  const written = serving.stdout.filter((line) => line.startsWith("xxx")).length;
  assert.equal(
    dropped.reduce((sum, count) => sum + count),
    10_000 - written,
  );
});

test("a long text is cut, an object that would take seconds to show is not shown", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    large: `export default { fetch() {
      console.log("x".repeat(1e6), "y".repeat(10));
      const row = Array(100).fill({ a: "y".repeat(1000) });
      console.log("rows", Object.fromEntries(Array.from({ length: 1000 }, (_, n) => ["k" + n, row])));
      console.log(new Map([["rows", Object.fromEntries(Array.from({ length: 1000 }, (_, n) => ["k" + n, row]))]]));
      console.log(Array(1e6).fill(7).length, new Uint8Array(1e7).length);
      return new Response("done");
    } };`,
  });
  assert.equal((await serving.get("large.base.test")).text, "done");
  await until(() => serving.stdout.includes("1000000 10000000"), "the last message");
  assert.equal(serving.stdout[0], `${"x".repeat(2 ** 16)}… (${1e6 - 2 ** 16} more characters) … (10 more characters)`);
  assert.equal(serving.stdout[1], "rows (an object too large to be logged)");
  assert.equal(serving.stdout[2], "(an object too large to be logged)");
});

test("what a function makes of the language's own objects does not lift the bound", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    sly: `const { log } = console;
    String.prototype.slice = function () { return this; };
    Date.now = () => performance.now() * 1e6;
    Object.defineProperty(Object.prototype, "left", { get: () => Infinity, set() {} });
    export default { fetch() {
      for (let i = 0; i < 1000; i++) log("x".repeat(100_000));
      return new Response("done");
    } };`,
  });
  assert.equal((await serving.get("sly.base.test")).text, "done");
  await until(() => serving.stdout.some((line) => line.startsWith("(too many")), "the bound is reached");
  assert.ok(length(serving.stdout) < 2 ** 22, `${length(serving.stdout)} characters`);
});

test("nothing that a function can put in the way is handed the console's unbounded methods", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    thief: `const seen = [], { log } = console;
    const places = [[Function.prototype, "call"], [Function.prototype, "apply"], [Reflect, "apply"], [Array.prototype, Symbol.iterator], [Array.prototype, "map"]];
    const own = places.map(([owner, name]) => owner[name]);
    export default { fetch() {
      log("first");
      for (let i = 0; i < places.length; i++) places[i][0][places[i][1]] = function (first) { seen[seen.length] = this; seen[seen.length] = first; };
      try { log("words", "more"); } catch {}
      for (let i = 0; i < places.length; i++) places[i][0][places[i][1]] = own[i];
      const found = seen.filter((one) => typeof one === "function" && one !== log);
      for (const one of found) try { one("escaped"); } catch {}
      log("over");
      return new Response("done");
    } };`,
  });
  assert.equal((await serving.get("thief.base.test")).text, "done");
  await until(() => serving.stdout.includes("over"), "the last message");
  assert.ok(!serving.stdout.includes("escaped"));
});
