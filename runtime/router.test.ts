// The router in a real workerd: what functions see, what clients get, what is told to the agent.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { WebSocket } from "ws";
import { ask, entryOf, startServing, until, versionId } from "./testing/workerd.js";
import { LOG_PREFIX } from "./wire.js";

const HELLO = `let n = 0; export default { fetch() { return new Response("hello " + ++n); } };`;
const ECHO = `export default { async fetch(request) {
  const { url, method, cf } = request;
  return Response.json({ url, method, headers: Object.fromEntries(request.headers), body: await request.text() });
} };`;

interface Echo {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: string;
}

test("a function answers at its host, from one isolate", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ hello: HELLO });
  assert.equal((await serving.get("hello.base.test")).text, "hello 1");
  assert.equal((await serving.get("HELLO.base.test.:8080")).text, "hello 2");
});

test("a function sees the request as it was sent, with the client's address and a request id that nobody can forge", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ echo: ECHO });
  const headers = {
    "CF-Connecting-IP": "6.6.6.6",
    "X-Request-Id": "forged",
    "x-forwarded-for": "7.7.7.7",
    "x-own": "1",
  };
  const seen = (
    await serving.get("Echo.base.test:81", "/a%20b?c=%20d", { headers, method: "PUT", body: "text" })
  ).json() as Echo;
  assert.equal(seen.url, "http://echo.base.test:81/a%20b?c=%20d");
  assert.equal(seen.method, "PUT");
  assert.equal(seen.body, "text");
  assert.equal(seen.headers["cf-connecting-ip"], "127.0.0.1");
  assert.match(seen.headers["x-request-id"]!, /^[0-9a-f-]{36}$/);
  assert.equal(seen.headers["x-own"], "1");
  assert.equal(seen.headers["x-forwarded-for"], "7.7.7.7");
});

test("the headers reach entry point classes, and whoever the request is passed on to", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    class: `import { WorkerEntrypoint } from "cloudflare:workers";
      export default class extends WorkerEntrypoint { fetch(request) { return new Response(new Request(request).headers.get("cf-connecting-ip")); } }`,
  });
  assert.equal((await serving.get("class.base.test")).text, "127.0.0.1");
});

test("behind a trusted proxy the function sees the address, the host and the protocol of the client", async (t) => {
  const serving = await startServing(t, {
    settings: { trustedProxies: ["127.0.0.0/8", "10.0.0.0/8"], useForwardedHost: true },
  });
  await serving.deploy({ echo: ECHO });
  const headers = {
    "x-forwarded-for": "1.1.1.1, 9.9.9.9, 10.0.0.2",
    "x-forwarded-host": "echo.base.test, other",
    "x-forwarded-proto": "https",
  };
  const seen = (await serving.get("proxy.internal", "/x", { headers })).json() as Echo;
  assert.equal(seen.url, "https://echo.base.test/x");
  assert.equal(seen.headers["cf-connecting-ip"], "9.9.9.9");
});

test("B4: without a trusted proxy no forwarded header counts", async (t) => {
  const serving = await startServing(t, { settings: { useForwardedHost: true } });
  await serving.deploy({ echo: ECHO });
  const headers = { "x-forwarded-host": "echo.base.test", "x-forwarded-for": "9.9.9.9" };
  assert.equal((await serving.get("other.test", "/", { headers })).status, 404);
});

test("hosts of the API lead to the agent, health paths do so on every host that is no function", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ echo: ECHO });
  const api = await serving.get("base.test", "/api/v1/status?x=1", {
    headers: { "cf-connecting-ip": "6.6.6.6", "x-forwarded-proto": "https" },
  });
  const seen = api.json() as { agent: boolean; url: string; headers: Record<string, string> };
  assert.equal(seen.url, "/api/v1/status?x=1");
  assert.equal(seen.headers.host, "base.test");
  assert.equal(seen.headers["cf-connecting-ip"], "127.0.0.1");
  assert.equal(seen.headers["x-forwarded-proto"], "http");
  assert.match((await serving.get("127.0.0.1", "/healthz")).text, /"agent":true/);
  assert.match((await serving.get("unknown.test", "/readyz")).text, /"agent":true/);
  assert.equal(((await serving.get("echo.base.test", "/healthz")).json() as Echo).url, "http://echo.base.test/healthz");
});

test("B4: unknown hosts and addresses get a page and never the API", async (t) => {
  const serving = await startServing(t);
  for (const host of [
    "127.0.0.1",
    "[::1]:80",
    "evilbase.test",
    "nobody.base.test",
    "a.b.c.base.test",
    "",
    "x".repeat(5000),
  ]) {
    const answer = await serving.get(host, "/api/v1/status");
    assert.equal(answer.status, 404, host);
    assert.match(answer.text, /ERR_NOT_FOUND/);
    assert.doesNotMatch(answer.text, /agent/);
  }
});

test("a request line with a whole URL, two Host headers, or none, leads nowhere it should not", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ echo: ECHO });
  const raw = async (text: string) => {
    const socket = connect(serving.port, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    let seen = "";
    socket.on("data", (data) => {
      seen += data;
    });
    socket.write(text);
    await until(() => seen.includes("\r\n\r\n") || socket.destroyed, "an answer");
    return seen;
  };
  const requests = [
    "GET http://base.test/api/v1/status HTTP/1.1\r\nHost: nobody.test\r\n\r\n",
    "GET /api/v1/status HTTP/1.1\r\nHost: nobody.test\r\nHost: base.test\r\n\r\n",
    "GET /api/v1/status HTTP/1.0\r\n\r\n",
    "GET base.test/api/v1/status HTTP/1.1\r\nHost: nobody.test\r\n\r\n",
  ];
  for (const request of requests) {
    const answer = await raw(request);
    assert.match(answer, /^HTTP\/1\.[01] [45]\d\d/, request);
    assert.doesNotMatch(answer, /"agent":true/);
  }
});

test("B5: a function that throws is a 502 without its message, which the log has", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ bad: `export default { fetch() { throw new Error("secret words"); } };` });
  const text = await serving.get("bad.base.test", "/", { headers: { accept: "text/html,*/*" } });
  assert.equal(text.status, 502);
  assert.match(text.headers["content-type"]!, /text\/plain/);
  assert.doesNotMatch(text.text, /secret|words|index/);
  const json = await serving.get("bad.base.test", "/", { headers: { accept: "application/json" } });
  const { error } = json.json() as { error: { code: string; requestId: string } };
  assert.equal(error.code, "ERR_FUNCTION");
  assert.equal(error.requestId, json.headers["x-request-id"]);
  const line = await until(
    () => serving.stderr.find((line) => line.startsWith(LOG_PREFIX) && line.includes(error.requestId)),
    "the exception in the log",
  );
  assert.match(line, /secret words/);
  assert.match(line, /at .*index\.js:1:/);
});

test("vars arrive as strings and JSON, the Cache API misses, and none of the platform's own is in reach", async (t) => {
  const serving = await startServing(t);
  await serving.deploy(
    {
      vars: `import { env as imported } from "cloudflare:workers";
      export default { async fetch(request, env) {
        const cache = await caches.open("x");
        const found = [await caches.default.match(request), await cache.match("http://x/"), await cache.delete("http://x/")];
        await caches.default.put("http://x/", new Response("kept", { headers: { "cache-control": "max-age=60" } }));
        return Response.json({ env, imported, found: found.map(String) });
      } };`,
    },
    { vars: { TEXT: "a", LIST: [1, { two: 2 }] } },
  );
  const seen = (await serving.get("vars.base.test")).json() as Record<string, unknown>;
  assert.deepEqual(seen.env, { TEXT: "a", LIST: [1, { two: 2 }] });
  assert.deepEqual(seen.imported, seen.env);
  assert.deepEqual(seen.found, ["undefined", "undefined", "false"]);
});

test("modules of every kind are loaded under their names", async (t) => {
  const serving = await startServing(t);
  const wasm = Buffer.from("0061736d0100000001060160017f017f030201000707010366616300000a0601040020000b", "hex");
  const spec = await serving.version({
    "src/main.js": `import text from "./a text.txt"; import data from "./b.bin"; import wasm from "./c.wasm"; import json from "./d.json"; import cjs from "./e.cjs"; import { deep } from "../lib/deep.js";
      export default { async fetch() {
        const { exports } = await WebAssembly.instantiate(wasm);
        return Response.json([text, [...new Uint8Array(data)], exports.fac(7), json, cjs.value, deep]);
      } };`,
    "lib/deep.js": `export const deep = "deep";`,
    "src/a text.txt": { kind: "text", bytes: "tëxt" },
    "src/b.bin": { kind: "data", bytes: new Uint8Array([0, 255]) },
    "src/c.wasm": { kind: "wasm", bytes: wasm },
    "src/d.json": { kind: "json", bytes: `{"a":1}` },
    "src/e.cjs": { kind: "cjs", bytes: `module.exports = { value: 3 };` },
  });
  await serving.publish({ modules: spec });
  const answer = await serving.get("modules.base.test");
  assert.deepEqual(answer.json(), ["tëxt", [0, 255], 7, { a: 1 }, 3, "deep"], answer.text);
});

test("bodies stream both ways, and work goes on in waitUntil after the answer", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    stream: `let after = "";
    export default { async fetch(request, env, ctx) {
      if (request.method === "GET") return new Response(after);
      ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 50)).then(() => { after = "done"; }));
      return new Response(request.body.pipeThrough(new TransformStream({ transform(chunk, c) { c.enqueue(chunk); } })));
    } };`,
  });
  const socket = connect(serving.port, "127.0.0.1");
  t.after(() => socket.destroy());
  let seen = "";
  socket.on("data", (data) => {
    seen += data;
  });
  socket.write("POST / HTTP/1.1\r\nHost: stream.base.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await until(() => seen.includes("one"), "the first chunk, while the request still goes on");
  socket.write("3\r\ntwo\r\n0\r\n\r\n");
  await until(() => seen.includes("two"), "the second chunk");
  await until(async () => (await serving.get("stream.base.test")).text === "done", "waitUntil");
});

test("WebSockets pass through, also behind a proxy", async (t) => {
  for (const settings of [{}, { trustedProxies: ["127.0.0.1"], useForwardedHost: true }]) {
    const serving = await startServing(t, { settings });
    await serving.deploy({
      ws: `export default { fetch(request) {
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        server.addEventListener("message", ({ data }) => server.send("echo " + data));
        return new Response(null, { status: 101, webSocket: client });
      } };`,
    });
    const socket = new WebSocket(`ws://127.0.0.1:${serving.port}/`, {
      headers: { host: "ws.base.test", "x-forwarded-host": "ws.base.test", "x-forwarded-proto": "https" },
    });
    t.after(() => socket.terminate());
    await once(socket, "open");
    socket.send("hi");
    const [data] = await once(socket, "message");
    assert.equal(String(data), "echo hi");
  }
});

test("no header, path or method selects another entry point than the default", async (t) => {
  const serving = await startServing(t);
  await serving.deploy(
    {
      named: `import { WorkerEntrypoint } from "cloudflare:workers";
      export class Inner extends WorkerEntrypoint { fetch() { return new Response("inner"); } }
      export const other = { fetch() { return new Response("other"); } };
      export default { fetch() { return new Response("default"); } };`,
    },
    { entrypoints: ["default", "Inner", "other"] },
  );
  for (const path of ["/", "/Inner", "/__WrkstHost", "/?entrypoint=Inner"]) {
    assert.equal((await serving.get("named.base.test", path, { headers: { entrypoint: "Inner" } })).text, "default");
  }
});

test("a version that does not load is a 503, is not hammered, and loads once the cause is gone", async (t) => {
  const serving = await startServing(t);
  const bytes = Buffer.from("not yet there");
  const spec = await serving.version(HELLO);
  await serving.publish({
    late: { ...spec, artifact: "0".repeat(64) },
    corrupt: { ...spec, artifact: await serving.store(bytes) },
  });
  const answers = await Promise.all(Array.from({ length: 20 }, () => serving.get("late.base.test")));
  for (const answer of answers) {
    assert.equal(answer.status, 503);
    assert.match(answer.text, /ERR_LOAD/);
    assert.equal(answer.headers["retry-after"], "1");
  }
  const state = (await serving.control("/state")).json() as { coldLoads: number };
  assert.ok(state.coldLoads < 5, `${state.coldLoads} loads`);
  assert.equal((await serving.get("corrupt.base.test")).status, 503);
  await serving.publish({ late: spec });
  assert.equal((await serving.get("late.base.test")).text, "hello 1");
});

test("a version whose load failed is tried again without any change", async (t) => {
  const serving = await startServing(t);
  const spec = await serving.version(HELLO);
  const { rename } = await import("node:fs/promises");
  const path = `${serving.dataDir}/artifacts/${spec.artifact.slice(0, 2)}/${spec.artifact}`;
  await rename(path, `${path}.away`);
  await serving.publish({ back: spec });
  assert.equal((await serving.get("back.base.test")).status, 503);
  await rename(`${path}.away`, path);
  await until(async () => (await serving.get("back.base.test")).status === 200, "the retry");
});

test("a client that leaves during a cold load leaves nobody else waiting", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ slow: `await new Promise((r) => setTimeout(r, 200)).catch(() => {});${HELLO}`, hello: HELLO });
  for (const name of ["slow", "hello"]) {
    const socket = connect(serving.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(`GET / HTTP/1.1\r\nHost: ${name}.base.test\r\n\r\n`);
    socket.destroy();
    const answer = await serving.get(`${name}.base.test`);
    assert.ok([200, 503].includes(answer.status), answer.text);
  }
});

test("requests that wait for the load of another function are answered after it", async (t) => {
  const serving = await startServing(t);
  const slow = "let x = 0; for (let i = 0; i < 5_000_000; i++) x = (x + Math.sqrt(i)) % 7; globalThis.x = x;";
  const names = Array.from({ length: 8 }, (_, n) => `slow${n}`);
  const codeOf = (name: string) => `${slow} export default { fetch: () => new Response("${name}") };`;
  await serving.deploy(Object.fromEntries(names.map((name) => [name, codeOf(name)])));
  const answers = await Promise.all(names.map((name) => serving.get(`${name}.base.test`)));
  assert.deepEqual(
    answers.map(({ text }) => text),
    names,
  );
});

test("blocked functions answer 503 on all their hosts, and say why in a code", async (t) => {
  const serving = await startServing(t);
  const spec = await serving.version(HELLO);
  await serving.publish({
    held: entryOf(spec, { blocked: "suspended" }),
    bad: entryOf(spec, { blocked: "quarantined" }),
    never: { ...entryOf(spec), latest: null, versions: {} },
  });
  assert.match((await serving.get("held.base.test")).text, /ERR_SUSPENDED/);
  assert.match((await serving.get(`${versionId(1).slice(0, 8)}--bad.base.test`)).text, /ERR_QUARANTINED/);
  assert.match((await serving.get("never.base.test")).text, /ERR_NOT_READY/);
});

test("B6: functions reach no loopback address by fetch or connect, unless the operator allows it to them", async (t) => {
  const target = createServer((_request, response) => response.end("in"));
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  t.after(() => target.close().closeAllConnections());
  const { port } = target.address() as { port: number };
  const serving = await startServing(t, { egress: { allow: ["127.0.0.0/8"], deny: [] } });
  const source = `import { connect } from "cloudflare:sockets";
    export default { async fetch() {
      const tell = (promise) => promise.then(String, (e) => "refused");
      const tcp = async () => { const s = connect("127.0.0.1:${port}"); await s.writable.getWriter().write(new TextEncoder().encode("GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")); const { value } = await s.readable.getReader().read(); return new TextDecoder().decode(value).slice(0, 15); };
      return Response.json({ http: await tell(fetch("http://127.0.0.1:${port}/").then((r) => r.text())), tcp: await tell(tcp()) });
    } };`;
  const versions = await Promise.all(
    (["none", "public", "private"] as const).map((egress) => serving.version(source, { egress })),
  );
  await serving.publish({ none: versions[0]!, public: versions[1]!, private: versions[2]! });
  for (const name of ["none", "public"]) {
    assert.deepEqual((await serving.get(`${name}.base.test`)).json(), { http: "refused", tcp: "refused" }, name);
  }
  assert.deepEqual((await serving.get("private.base.test")).json(), { http: "in", tcp: "HTTP/1.1 200 OK" });
});

test("the agent being away is a 503, and functions go on", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ hello: HELLO });
  await serving.stopAgent();
  assert.match((await serving.get("base.test")).text, /ERR_API/);
  assert.equal((await serving.get("hello.base.test")).status, 200);
});

test("a table on disk serves from the start, and a corrupt one starts empty", async (t) => {
  const first = await startServing(t);
  const spec = await first.version(HELLO);
  const table = { generation: 7, functions: { hello: entryOf(spec) }, revisions: [] };
  const serving = await startServing(t, { table });
  await serving.version(HELLO);
  assert.equal((await serving.get("hello.base.test")).text, "hello 1");
  assert.equal(((await serving.control("/state")).json() as { generation: number }).generation, 7);
  const corrupt = await startServing(t, { table: `{"generation":7,"functions":[` });
  assert.equal((await corrupt.get("hello.base.test")).status, 404);
  assert.equal(((await corrupt.control("/state")).json() as { generation: number }).generation, 0);
});

test("answers of functions are passed on as they are", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    raw: `export default { fetch(request) {
      if (new URL(request.url).pathname === "/redirect") return Response.redirect("http://elsewhere.test/", 302);
      const headers = new Headers({ "x-a": "1" }); headers.append("set-cookie", "a=1"); headers.append("set-cookie", "b=2");
      return new Response("teapot", { status: 418, headers });
    } };`,
  });
  const answer = await ask({ port: serving.port }, "/", { headers: { host: "raw.base.test" } });
  assert.equal(answer.status, 418);
  assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
  assert.equal((await serving.get("raw.base.test", "/redirect")).headers.location, "http://elsewhere.test/");
});
