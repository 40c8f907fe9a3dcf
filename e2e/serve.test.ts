// What a function sees and what its callers get (DESIGN.md §5; SECURITY.md B5, B5a, B10).
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { createRepository, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";
import { deploy, exampleFiles, functionOf, nextChunk, openExchange, remaining } from "./traffic.js";

let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([startAgent(), createRepository()]);
  await deploy(agent, repository, {
    ...(await exampleFiles("modules", "shared", "assets-text", "wasm", "hono", "env", "websocket", "stream")),
    ...functionOf("mirror", MIRROR),
    ...functionOf("answers", ANSWERS),
    ...functionOf("pipe", "export default { fetch: (request) => new Response(request.body) };\n"),
    ...functionOf("digest", DIGEST),
    ...functionOf("sockets", SOCKETS),
    ...functionOf("later", LATER),
    ...functionOf("entry", ENTRY, '[vars]\nWHO = "entry"\n'),
    ...functionOf("cache", CACHE),
    ...functionOf("settings", SETTINGS, SETTINGS_VARS),
    ...functionOf("broken", BROKEN),
    ...functionOf("broken-once", BROKEN),
  });
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
});

const MIRROR = `export default {
  async fetch(request) {
    const { method, url } = request;
    return Response.json({ method, url, headers: Object.fromEntries(request.headers), body: await request.text() });
  },
};
`;

interface Mirrored {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

async function mirrored(...args: Parameters<TestAgent["request"]>): Promise<Mirrored> {
  return JSON.parse((await agent.request(...args)).text);
}

test("a function sees the method, the URL as it was asked, and the body", async () => {
  const path = "/a%20b/c%2Fd?x=1&x=%C3%A4&empty=";
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const body = method === "GET" || method === "OPTIONS" ? "" : "söme text";
    const headers = { "content-length": String(Buffer.byteLength(body)) };
    const seen = await mirrored("mirror", path, { method, ...(body ? { headers, body } : {}) });
    assert.deepEqual([seen.method, seen.url, seen.body], [method, `http://mirror.localhost${path}`, body]);
  }
});

test("the URL has the port that the client named", async () => {
  const host = `mirror.localhost:${agent.port}`;
  const seen = await mirrored(host, "/x");
  assert.deepEqual([seen.url, seen.headers.host], [`http://${host}/x`, host]);
});

test("a function sees the headers, none added but the client's address and the request's id", async () => {
  const headers = { "x-one": "1", "user-agent": "probe", cookie: "a=b; c=d", authorization: "Bearer x", accept: "*/*" };
  const seen = await mirrored("mirror", "/", { headers });
  const { host, connection: _connection, "cf-connecting-ip": address, "x-request-id": id, ...rest } = seen.headers;
  assert.deepEqual([host, address, rest], ["mirror.localhost", "127.0.0.1", headers]);
  assert.match(id ?? "", /^[0-9a-f-]{36}$/);
});

test("a client cannot forge its address or the request's id (B5a, B10)", async () => {
  const forged = { "CF-Connecting-IP": "203.0.113.9", "X-Request-Id": "forged", "X-Forwarded-For": "203.0.113.9" };
  const seen = await mirrored("mirror", "/", { headers: forged });
  assert.equal(seen.headers["cf-connecting-ip"], "127.0.0.1");
  assert.notEqual(seen.headers["x-request-id"], "forged");
  for (const host of ["nobody", "broken"]) {
    const page = await agent.request(host, "/", { headers: forged });
    assert.ok(page.headers["x-request-id"]);
    assert.notEqual(page.headers["x-request-id"], "forged");
    assert.doesNotMatch(page.text, /forged/);
  }
  const api = await agent.request("localhost", "/healthz", { headers: forged });
  assert.notEqual(api.headers["x-request-id"], "forged");
});

const ANSWERS = `const gzip = (text) => new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/redirect") return Response.redirect("http://elsewhere.example/", 302);
    if (pathname === "/empty") return new Response(null, { status: 204 });
    if (pathname === "/teapot") return new Response("short and stout", { status: 418, statusText: "Teapot" });
    if (pathname === "/gzip") {
      return new Response(await gzip("zipped"), { headers: { "content-encoding": "gzip" }, encodeBody: "manual" });
    }
    const response = new Response("text", { headers: { "x-request-id": "the function's own", "x-a": "b" } });
    response.headers.append("set-cookie", "a=1");
    response.headers.append("set-cookie", "b=2; HttpOnly");
    return response;
  },
};
`;

test("answers arrive as the function gave them", async () => {
  const plain = await agent.request("answers");
  assert.deepEqual(plain.headers["set-cookie"], ["a=1", "b=2; HttpOnly"]);
  assert.deepEqual([plain.headers["x-a"], plain.text], ["b", "text"]);
  const redirect = await agent.request("answers", "/redirect");
  assert.deepEqual([redirect.status, redirect.headers.location], [302, "http://elsewhere.example/"]);
  const teapot = await agent.request("answers", "/teapot");
  assert.deepEqual([teapot.status, teapot.text], [418, "short and stout"]);
  assert.equal((await agent.request("answers", "/empty")).status, 204);
  const head = await agent.request("answers", "/", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers["x-a"], head.text], [200, "b", ""]);
});

test("a body that the function compressed arrives compressed", async () => {
  const { request, response } = openExchange(agent, "answers", {
    path: "/gzip",
    method: "GET",
    headers: { "accept-encoding": "gzip" },
  });
  request.end();
  const message = await response;
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  assert.equal(message.headers["content-encoding"], "gzip");
  assert.equal(gunzipSync(Buffer.concat(chunks)).toString(), "zipped");
});

test("bodies stream in both directions: each chunk comes back before the next is sent", async () => {
  const { request, response } = openExchange(agent, "pipe");
  let message: Awaited<typeof response> | undefined;
  for (const chunk of ["first", "second", "third"]) {
    request.write(chunk);
    message ??= await response;
    assert.equal(await nextChunk(message), chunk);
  }
  request.end();
  assert.equal(await nextChunk(message!), undefined);
});

const DIGEST = `export default {
  async fetch(request) {
    const stream = new crypto.DigestStream("SHA-256");
    await request.body.pipeTo(stream);
    const hex = [...new Uint8Array(await stream.digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return Response.json({ bytes: Number(stream.bytesWritten), hex });
  },
};
`;

/** Most memory that the process ever had, in MiB; undefined where the system does not say. */
function peakMemory(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(file, "utf8"))?.[1]) / 1024;
}

/** Sends so many MiB, each another; the function must have seen every byte. */
async function upload(size: number): Promise<void> {
  const block = randomBytes(1 << 20);
  const expected = createHash("sha256");
  const { request, response } = openExchange(agent, "digest");
  for (let sent = 0; sent < size; sent++) {
    block.writeUInt32BE(sent);
    expected.update(block);
    if (!request.write(Buffer.from(block))) await once(request, "drain");
  }
  request.end();
  const answer = JSON.parse(await remaining(await response));
  assert.deepEqual(answer, { bytes: size << 20, hex: expected.digest("hex") });
}

test("100 MB go through a function, and 300 MB take hardly more of the runtime's memory", async () => {
  const { pid } = (await agent.status()).runtime;
  await upload(100);
  const before = peakMemory(pid!);
  await upload(300);
  const after = peakMemory(pid!);
  if (before !== undefined && after !== undefined) assert.ok(after - before < 100, `${before} MiB became ${after}`);
});

const SOCKETS = `export default {
  fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    server.binaryType = "arraybuffer";
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(data));
    return new Response(null, { status: 101, webSocket: client });
  },
};
`;

test("a WebSocket carries text and bytes both ways, and its end", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${agent.port}/`, { headers: { host: "sockets.localhost" } });
  await once(socket, "open");
  for (const sent of [Buffer.from("hello"), randomBytes(200_000), Buffer.from("wörld")]) {
    const isBinary = sent.length > 100;
    socket.send(isBinary ? sent : sent.toString());
    const [received, binary] = await once(socket, "message");
    assert.deepEqual([binary, received.equals(sent)], [isBinary, true]);
  }
  const closed = once(socket, "close");
  socket.close(4001, "done");
  await closed;
});

const LATER = `let isReleased = false;
let state = "nothing";
async function work() {
  state = "working";
  while (!isReleased) await scheduler.wait(5);
  state = "finished";
}
export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/begin") ctx.waitUntil(work());
    if (pathname === "/release") isReleased = true;
    return new Response(state);
  },
};
`;

test("what a function hands to ctx.waitUntil finishes after its answer", async () => {
  const state = async (path: string) => (await agent.request("later", path)).text;
  assert.equal(await state("/begin"), "working");
  assert.equal(await state("/"), "working");
  await state("/release");
  await until("the work is finished", async () => (await state("/")) === "finished");
});

const ENTRY = `import { WorkerEntrypoint } from "cloudflare:workers";
export const LIMIT = 3;
export function double(n) { return 2 * n; }
export class Sums extends WorkerEntrypoint {
  add(a, b) { return a + b; }
}
export const handler = { fetch: () => new Response("named") };
export default class extends WorkerEntrypoint {
  async fetch(request) {
    const { Sums, handler } = this.ctx.exports;
    const named = await (await handler.fetch(request)).text();
    return Response.json([this.env.WHO, await Sums.add(1, 2), double(LIMIT), named, new URL(request.url).hostname]);
  }
}
`;

test("a class serves as default entry point and reaches the named ones", async () => {
  assert.deepEqual(JSON.parse((await agent.request("entry")).text), ["entry", 3, 6, "named", "entry.localhost"]);
});

const SETTINGS_VARS = `[vars]
TEXT = "text"
EMPTY = ""
NUMBER = 7
OBJECT = { list = [1, "two", { three = true }] }
"odd name" = "odd"
`;
const SETTINGS = `import { env as imported } from "cloudflare:workers";
const atTopLevel = imported.TEXT;
export default {
  fetch: (request, env) => Response.json({ env, imported: { ...imported }, atTopLevel, keys: Object.keys(env).sort() }),
};
`;

test("vars are strings and JSON beside the own database, in the handler and by import", async () => {
  const vars = {
    TEXT: "text",
    EMPTY: "",
    NUMBER: 7,
    OBJECT: { list: [1, "two", { three: true }] },
    "odd name": "odd",
  };
  assert.deepEqual(JSON.parse((await agent.request("settings")).text), {
    env: { ...vars, D1: {} },
    imported: { ...vars, D1: {} },
    atTopLevel: "text",
    keys: [...Object.keys(vars), "D1"].sort(),
  });
});

const CACHE = `export default {
  async fetch(request) {
    const results = [];
    for (const cache of [caches.default, await caches.open("mine")]) {
      await cache.put(request.url, new Response("kept", { headers: { "cache-control": "max-age=60" } }));
      results.push((await cache.match(request.url)) === undefined, await cache.delete(request.url));
    }
    return Response.json(results);
  },
};
`;

test("the cache misses and never throws", async () => {
  assert.deepEqual(JSON.parse((await agent.request("cache")).text), [true, false, true, false]);
});

const BROKEN = `let lastId;
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/last-id") return new Response(lastId);
    lastId = request.headers.get("x-request-id");
    if (pathname === "/no-response") return "a secret string";
    if (pathname === "/later") await scheduler.wait(1);
    throw new Error("a secret message");
  },
};
`;

/** The router's own page: what it says, told by its type. */
function assertPage(answer: Awaited<ReturnType<TestAgent["request"]>>, status: number, code: string): void {
  const id = answer.headers["x-request-id"];
  assert.match(String(id), /^[0-9a-f-]{36}$/);
  assert.deepEqual([answer.status, answer.headers["cache-control"]], [status, "no-store"]);
  assert.doesNotMatch(answer.text, /secret|index\.js|Error:/);
  if (answer.headers["content-type"] === "application/json") {
    const { error } = JSON.parse(answer.text);
    assert.deepEqual([error.code, error.requestId], [code, id]);
  } else {
    assert.match(answer.headers["content-type"] ?? "", /^text\/plain/);
    assert.ok(answer.text.includes(code) && answer.text.includes(String(id)), answer.text);
  }
}

const pages: { name: string; host: string; path: string; status: number; code: string }[] = [
  { name: "an unknown function", host: "nobody", path: "/", status: 404, code: "ERR_NOT_FOUND" },
  { name: "a function that throws", host: "broken", path: "/", status: 502, code: "ERR_FUNCTION" },
  { name: "a function that rejects later", host: "broken", path: "/later", status: 502, code: "ERR_FUNCTION" },
  {
    name: "a function that answers no response",
    host: "broken",
    path: "/no-response",
    status: 502,
    code: "ERR_FUNCTION",
  },
];

for (const { name, host, path, status, code } of pages) {
  test(`the page of ${name} has a code and a request id, as text and as JSON, and nothing of the function (B5)`, async () => {
    const text = await agent.request(host, path, { headers: { accept: "text/html, application/json" } });
    assert.match(text.headers["content-type"] ?? "", /^text\/plain/);
    assertPage(text, status, code);
    const json = await agent.request(host, path, { headers: { accept: "application/json" } });
    assert.equal(json.headers["content-type"], "application/json");
    assertPage(json, status, code);
    assert.notEqual(json.headers["x-request-id"], text.headers["x-request-id"]);
    const head = await agent.request(host, path, { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [status, ""]);
  });
}

test("the function, the page and the log know the request by one id, and only the log says what was thrown (B5)", async () => {
  // One of its own: of a function that throws all the time, the log has the first few only.
  const page = await agent.request("broken-once");
  const id = String(page.headers["x-request-id"]);
  assert.equal((await agent.request("broken-once", "/last-id")).text, id);
  const line = () =>
    agent
      .output()
      .split("\n")
      .find((candidate) => candidate.includes(id));
  await until("the log has the request", () => line() !== undefined);
  assert.match(line() ?? "", /a secret message/);
});

const refused: { name: string; code: string; says: RegExp }[] = [
  { name: "without a default export", code: "export const fetch = () => new Response();\n", says: /default export/ },
  { name: "whose default export is no handler", code: "export default 42;\n", says: /default export/ },
  {
    name: "that throws at its top level",
    code: 'throw new Error("a secret message");\nexport default {};\n',
    says: /index\.js:1/,
  },
];

for (const { name, code, says } of refused) {
  test(`a function ${name} is refused, and its host is a 503 that does not say why`, async () => {
    await repository.commit(functionOf("refused", code));
    assert.match((await repository.push(agent)).output, says);
    const status = await agent.functionStatus("refused");
    assert.deepEqual([status.state, status.error?.code, status.version], ["failed", "ERR_LOAD", null]);
    assertPage(await agent.request("refused"), 503, "ERR_NOT_READY");
  });
}

test("a function of several modules is one version", async () => {
  assert.equal((await agent.request("modules", "/shout?text=hello")).text, "HELLO!\n");
});

test("text and data modules arrive as they are", async () => {
  const files = await exampleFiles("assets-text");
  assert.equal((await agent.request("assets-text")).text, Buffer.from(files["assets-text/src/page.html"]!).toString());
  const { request, response } = openExchange(agent, "assets-text", { path: "/icon.png", method: "GET" });
  request.end();
  const chunks: Buffer[] = [];
  for await (const chunk of await response) chunks.push(chunk);
  assert.ok(Buffer.concat(chunks).equals(files["assets-text/src/icon.png"]!));
});

test("WebAssembly runs", async () => {
  assert.equal((await agent.request("wasm", "/90")).text, "2880067194370816120\n");
});

test("a dependency from npm is part of the version", async () => {
  assert.deepEqual(JSON.parse((await agent.request("hono", "/planets/mars")).text), { name: "mars", moons: 2 });
  assert.equal((await agent.request("hono", "/planets/pluto")).status, 404);
});

test("the other examples do what they say", async () => {
  const env = await agent.request("env", "/", { headers: { "accept-language": "de" } });
  assert.deepEqual(JSON.parse(env.text).language, "de");
  assert.equal((await agent.request("stream", "/?from=0")).text, "Lift-off!\n");
  assert.equal((await agent.request("stream", "/", { method: "POST", body: "loud" })).text, "LOUD");
  const socket = new WebSocket(`ws://127.0.0.1:${agent.port}/`, { headers: { host: "websocket.localhost" } });
  await once(socket, "open");
  socket.send("hello");
  assert.equal(String((await once(socket, "message"))[0]), "hello");
  socket.terminate();
});
