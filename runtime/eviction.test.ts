// Eviction in a real workerd: room is made, and no request notices.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import { startServing, until } from "./testing/workerd.js";
import type { RuntimeState } from "./wire.js";

const HELLO = `let n = 0; export default { fetch() { return new Response("hello " + ++n); } };`;
/** Answers in pieces, and takes its time between them. */
const SLOW = `const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export default { async fetch(request) {
  const text = await request.text();
  await wait(20);
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter(), encoder = new TextEncoder();
  (async () => { for (const piece of ["a", "b", "c"]) { await writer.write(encoder.encode(piece)); await wait(10); } await writer.write(encoder.encode(text)); await writer.close(); })();
  return new Response(readable);
} };`;

test("the least recently used isolate makes room above the limit", async (t) => {
  const serving = await startServing(t, { settings: { maxIsolates: 2 } });
  await serving.deploy({ a: HELLO, b: HELLO, c: HELLO });
  const ask = async (name: string) => (await serving.get(`${name}.base.test`)).text;
  assert.deepEqual(
    [await ask("a"), await ask("b"), await ask("a"), await ask("c")],
    ["hello 1", "hello 1", "hello 2", "hello 1"],
  );
  assert.equal(await ask("a"), "hello 3");
  assert.equal(await ask("b"), "hello 1");
  const state = (await serving.control("/state")).json() as RuntimeState;
  assert.equal(state.isolates, 2);
  assert.equal(state.evictions, 2);
  assert.equal(state.coldLoads, 4);
});

test("no request fails while isolates are evicted all the time", async (t) => {
  const serving = await startServing(t, { settings: { maxIsolates: 3 } });
  const names = Array.from({ length: 12 }, (_, index) => `f${index}`);
  await serving.deploy(Object.fromEntries(names.map((name) => [name, SLOW])));
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  t.after(() => agent.destroy());
  const failed: string[] = [];
  const client = async (number: number) => {
    for (let round = 0; round < 8; round++) {
      const name = names[(number * 7 + round * 5) % names.length]!;
      const isGet = (number + round) % 2 === 0;
      const answer = await serving.get(`${name}.base.test`, "/", isGet ? { agent } : { agent, body: "body" });
      const expected = isGet ? "abc" : "abcbody";
      if (answer.text !== expected) failed.push(`${answer.status} ${answer.text}`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, number) => client(number)));
  assert.deepEqual(failed, []);
  const state = (await serving.control("/state")).json() as RuntimeState;
  assert.ok(state.evictions > 20, `${state.evictions} evictions`);
});

test("a WebSocket and a long answer survive the eviction of their isolate", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    long: `const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    export default { async fetch() {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      (async () => { for (let i = 0; i < 50; i++) { await writer.write(new TextEncoder().encode("x")); await wait(10); } await writer.close(); })();
      return new Response(readable);
    } };`,
    ws: `export default { fetch() {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", ({ data }) => server.send("echo " + data));
      return new Response(null, { status: 101, webSocket: client });
    } };`,
  });
  const socket = new WebSocket(`ws://127.0.0.1:${serving.port}/`, { headers: { host: "ws.base.test" } });
  t.after(() => socket.terminate());
  await once(socket, "open");
  const long = serving.get("long.base.test");
  await until(async () => ((await serving.control("/state")).json() as RuntimeState).isolates === 2, "loaded");
  await serving.control("/evict", { functions: ["long", "ws"] });
  assert.equal((await long).text, "x".repeat(50));
  socket.send("hi");
  assert.equal(String((await once(socket, "message"))[0]), "echo hi");
});

test("evicted functions are loaded afresh, under their present version", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ a: HELLO, b: HELLO });
  for (const name of ["a", "b"]) await serving.get(`${name}.base.test`);
  await serving.control("/evict", { functions: ["a"] });
  assert.equal((await serving.get("a.base.test")).text, "hello 1");
  assert.equal((await serving.get("b.base.test")).text, "hello 2");
});

test("a function that ends its own isolate is loaded again", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    suicidal: `import { abortIsolate } from "cloudflare:workers";
    let n = 0; export default { fetch(request) { if (request.url.endsWith("/end")) abortIsolate("over"); return new Response("hello " + ++n); } };`,
  });
  assert.equal((await serving.get("suicidal.base.test")).text, "hello 1");
  assert.equal((await serving.get("suicidal.base.test", "/end")).status, 502);
  assert.equal((await serving.get("suicidal.base.test")).text, "hello 1");
});

test("a version that no host leads to any more leaves memory", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ a: HELLO });
  await serving.get("a.base.test");
  await serving.publish({ a: null });
  assert.equal((await serving.get("a.base.test")).status, 404);
  assert.equal(((await serving.control("/state")).json() as RuntimeState).isolates, 0);
});
