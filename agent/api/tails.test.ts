import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import WebSocket from "ws";
import type { TailLine } from "../../runtime/wire.js";
import { serveApi, TOKEN } from "./testing.js";

const served = await serveApi();
after(() => served.close());
const { ask, tail } = served;
const TAILS = "/client/v4/accounts/main/workers/scripts/hello/tails";

async function until(what: string, condition: () => unknown): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await delay(10);
  }
}

const line = (text: string, more: object = {}): TailLine => ({
  ...{ kind: "invocation", function: "hello", version: "11111111-0000-8000-8000-000000000000" },
  invocation: {
    ...{ outcome: "ok", at: 1, exceptions: [], logs: [{ level: "log", timestamp: 1, message: [text] }] },
    event: {
      request: { url: "http://hello.localhost/", method: "GET", headers: {}, cf: {} },
      response: { status: 200 },
    },
    ...more,
  },
});

async function createTail(filters: unknown = []) {
  const { status, json } = await ask(TAILS, { method: "POST", body: JSON.stringify({ filters }) });
  assert.equal(status, 200, JSON.stringify(json));
  const { id, url, expires_at } = json.result as { id: string; url: string; expires_at: string };
  const { pathname } = new URL(url);
  return { id, url, pathname, expires_at, socketUrl: `ws://127.0.0.1:${served.port}${pathname}` };
}

const count = async () => ((await ask(TAILS)).json.result as unknown[]).length;

async function open(url: string) {
  const socket = new WebSocket(url, "trace-v1");
  const heard: { logs: { message: unknown[] }[] }[] = [];
  socket.on("message", (bytes: Buffer) => heard.push(JSON.parse(bytes.toString())));
  await once(socket, "open");
  socket.send('{"debug":false}', { mask: false });
  return { socket, heard };
}

test("speaks trace-v1 as wrangler does: an unmasked first frame, pings with a payload, events, an end", async () => {
  const made = await createTail();
  assert.match(made.url, /^ws:\/\/localhost:8080\/tails\/[0-9a-f]{32}\/[\w-]{43}$/);
  assert.ok(Date.parse(made.expires_at) > 0);
  assert.deepEqual(tail.heard, ["hello"]);
  const { socket, heard } = await open(made.socketUrl);
  assert.equal(socket.protocol, "trace-v1");
  assert.equal(socket.extensions, "");
  socket.ping("wrangler tail ping");
  const [payload] = (await once(socket, "pong")) as [Buffer];
  assert.equal(payload.toString(), "wrangler tail ping");
  await tail.hub.take(line("a pear"));
  await until("an event", () => heard.length);
  assert.deepEqual(heard[0]?.logs[0]?.message, ["a pear"]);
  const closed = once(socket, "close");
  assert.equal((await ask(`${TAILS}/${made.id}`, { method: "DELETE" })).status, 200);
  assert.equal((await closed)[0], 1000);
  assert.deepEqual(tail.heard, []);
});

test("ends a tail when its socket closes, also without a word", async () => {
  for (const end of ["close", "terminate"] as const) {
    const { socketUrl } = await createTail();
    const { socket } = await open(socketUrl);
    assert.equal(await count(), 1);
    socket[end]();
    await until("the tail is gone", async () => (await count()) === 0);
  }
});

test("applies the filters of the tail, and refuses wrong ones", async () => {
  const { socketUrl, id } = await createTail([{ query: "plum" }]);
  const { heard } = await open(socketUrl);
  await tail.hub.take(line("a pear"));
  await tail.hub.take(line("a plum"));
  await until("an event", () => heard.length);
  assert.deepEqual(
    heard.map(({ logs }) => logs[0]?.message[0]),
    ["a plum"],
  );
  await ask(`${TAILS}/${id}`, { method: "DELETE" });
  const refused = await ask(TAILS, { method: "POST", body: '{"filters":[{"sampling_rate":7}]}' });
  assert.equal(refused.status, 400);
});

/** Sends bytes, answers all that came back. */
async function raw(bytes: string): Promise<string> {
  const socket: Socket = connect(served.port ?? 0, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
    if (text.startsWith("HTTP/1.1 101")) socket.destroy();
  });
  socket.on("error", () => undefined);
  socket.write(bytes);
  await once(socket, "close");
  return text;
}

const handshake = (path: string, more = "Sec-WebSocket-Protocol: trace-v1\r\n", key = "dGhlIHNhbXBsZSBub25jZQ==") =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${more}\r\n`;

test("opens a tail only with its secret, its protocol and a whole handshake, and once at a time", async () => {
  const made = await createTail();
  const wrong = made.pathname.slice(0, -1) + (made.pathname.endsWith("a") ? "b" : "a");
  assert.match(await raw(handshake(wrong)), /^HTTP\/1\.1 404 /);
  assert.match(await raw(handshake("/tails/x/y")), /^HTTP\/1\.1 404 /);
  assert.match(await raw(handshake("/api/v1/status")), /^HTTP\/1\.1 404 /);
  assert.match(await raw(handshake(made.pathname, "")), /^HTTP\/1\.1 400 /);
  assert.match(await raw(handshake(made.pathname, undefined, "short")), /^HTTP\/1\.1 400 /);
  const { socket } = await open(made.socketUrl);
  assert.match(await raw(handshake(made.pathname)), /^HTTP\/1\.1 404 /);
  socket.terminate();
  await until("the tail is gone", async () => (await count()) === 0);
  assert.ok(!served.logged().includes(made.pathname), "the secret is in no log");
});

test("answers in HTTP/1.1 whoever offers another protocol", async () => {
  const offer =
    "Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
  assert.match(await raw(`GET /health HTTP/1.1\r\n${offer}\r\n`), /^HTTP\/1\.1 200 .*"healthy"/s);
  const withBody = `POST /api/v1/sources/default/sync HTTP/1.1\r\n${offer}Content-Length: 2\r\n\r\n{}`;
  assert.match(await raw(withBody), /^HTTP\/1\.1 400 /);
});

test("closes a socket that sends what no client of a tail sends", async () => {
  for (const [send, code] of [
    [(socket: WebSocket) => socket.send("x".repeat(5000)), 1009],
    [(socket: WebSocket) => (socket as unknown as { _socket: Socket })._socket.write(Buffer.from([0xf0, 0])), 1002],
  ] as const) {
    const { socketUrl } = await createTail();
    const { socket } = await open(socketUrl);
    const closed = once(socket, "close");
    send(socket);
    assert.equal((await closed)[0], code);
  }
  await until("the tails are gone", async () => (await count()) === 0);
});

test("a client that does not read loses events, is told so, and costs no memory", async () => {
  const { socketUrl } = await createTail();
  const { socket, heard } = await open(socketUrl);
  (socket as unknown as { _socket: Socket })._socket.pause();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 400; i++) await tail.hub.take(line("x".repeat(200_000)));
  assert.ok(process.memoryUsage().rss - before < 60 * 2 ** 20);
  (socket as unknown as { _socket: Socket })._socket.resume();
  await until("what was lost is told", async () => {
    await tail.hub.take(line("after"));
    return heard.some((event) => JSON.stringify(event).includes('"overload"'));
  });
  socket.terminate();
  await until("the tail is gone", async () => (await count()) === 0);
});

test("lets ten listen to a function, and says what to do about the eleventh", async () => {
  const made = await Promise.all(Array.from({ length: 10 }, () => createTail()));
  const refused = await ask(TAILS, { method: "POST", body: "{}" });
  assert.equal(refused.status, 409);
  assert.match(refused.text, /end one of the tails/);
  for (const { id } of made) await ask(`${TAILS}/${id}`, { method: "DELETE" });
});

test("streams events to clients without a WebSocket, until they go", async () => {
  const controller = new AbortController();
  const response = await fetch(`${served.url}/api/v1/functions/hello/tail?status=error&method=get`, {
    headers: { authorization: `Bearer ${TOKEN}` },
    signal: controller.signal,
  });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  let text = "";
  const reading = (async () => {
    for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  await until("the first comment", () => text.startsWith(": listening\n\n"));
  await tail.hub.take(line("held back"));
  await tail.hub.take(line("let through\n\ndata: x", { outcome: "exception" }));
  await until("an event", () => text.includes("let through"));
  const data = text.split("\n\n").filter((part) => part.startsWith("data: "));
  assert.equal(data.length, 1);
  assert.equal(JSON.parse(data[0]!.slice(6)).outcome, "exception");
  controller.abort();
  await reading;
  await until("nobody listens", () => tail.heard.length === 0);
});

test("A5 a live tail ends when its credential is revoked", async () => {
  const created = await ask("/api/v1/tokens", { method: "POST", body: '{"name":"ears","scopes":["read"]}' });
  const { id, token } = created.json as { id: string; token: string };
  const url = `${served.url}/api/v1/functions/hello/tail`;
  const streaming = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const { json } = await ask(TAILS, { method: "POST", body: "{}", token });
  const { pathname } = new URL((json.result as { url: string }).url);
  const { socket } = await open(`ws://127.0.0.1:${served.port}${pathname}`);
  const staying = await open((await createTail()).socketUrl);
  await tail.hub.check();
  assert.equal(socket.readyState, WebSocket.OPEN);
  const closed = once(socket, "close");
  assert.equal((await ask(`/api/v1/tokens/${id}`, { method: "DELETE" })).status, 204);
  await tail.hub.check();
  assert.equal((await closed)[0], 1000);
  assert.equal(await streaming.text(), ": listening\n\n");
  assert.equal(staying.socket.readyState, WebSocket.OPEN);
  staying.socket.terminate();
  await until("the tail is gone", async () => (await count()) === 0);
});

test("answers kept logs in pages, and nothing of a function that is not there", async () => {
  const exceptions = [1, 2, 3].map((n) => ({ name: "Error", message: `no. ${n}`, timestamp: n }));
  await tail.hub.take(line("said", { exceptions }));
  const page = async (query: string) => {
    const { json } = await ask(`/api/v1/functions/hello/logs${query}`);
    return { messages: (json.logs as { message: string }[]).map(({ message }) => message), cursor: json.cursor };
  };
  assert.deepEqual((await page("")).messages, ["Error: no. 3", "Error: no. 2", "Error: no. 1"]);
  const first = await page("?limit=2");
  assert.deepEqual(first.messages, ["Error: no. 3", "Error: no. 2"]);
  assert.deepEqual((await page(`?limit=2&before=${first.cursor}`)).messages, ["Error: no. 1"]);
  assert.deepEqual((await page("?after=0&limit=1")).messages, ["Error: no. 1"]);
  for (const query of ["?limit=0", "?limit=5000", "?level=loud", "?after=x", "?unknown=1"]) {
    assert.equal((await ask(`/api/v1/functions/hello/logs${query}`)).status, 400, query);
  }
  assert.equal((await ask("/api/v1/functions/nobody/logs")).status, 404);
  assert.equal((await ask("/api/v1/functions/nobody/tail")).status, 404);
  assert.equal((await ask("/client/v4/accounts/other/workers/scripts/hello/tails")).status, 404);
});
