import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { type BodyLimits, readBody } from "./body.js";
import { serveApi } from "./testing.js";

type Reading = Promise<Buffer>;
let limits: BodyLimits;
let started: (reading: Reading) => void;

const server = createServer((req: IncomingMessage, res) => {
  const reading = readBody(req, limits, () => undefined);
  started(reading);
  reading.then(
    () => res.end(),
    () => res.destroy(),
  );
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
after(() => {
  server.closeAllConnections();
  server.close();
});

/** Begins a request that writes what it is told to; `reading` is what the server makes of it. */
async function begin(asked: Partial<BodyLimits>) {
  limits = { size: 1000, time: 60_000, budget: { left: 10_000 }, ...asked };
  const begun = new Promise<{ reading: Reading }>((resolve) => {
    started = (reading) => {
      reading.catch(() => undefined);
      resolve({ reading });
    };
  });
  const client = request({ port, host: "127.0.0.1", method: "POST", agent: false });
  client.on("error", () => undefined);
  client.write("x".repeat(100));
  const { reading } = await begun;
  return { client, reading };
}

test("gives the bytes, and their memory back", async () => {
  const budget = { left: 200 };
  const { client, reading } = await begin({ budget });
  client.end("y");
  assert.equal((await reading).length, 101);
  assert.equal(budget.left, 200);
});

test("ends a body that takes too long", async () => {
  const { client, reading } = await begin({ time: 20 });
  await assert.rejects(reading, { code: "ERR_INVALID" });
  client.destroy();
});

test("ends a body that grows beyond its limit", async () => {
  const { client, reading } = await begin({});
  client.write("x".repeat(1000));
  await assert.rejects(reading, { code: "ERR_TOO_LARGE" });
});

test("ends a body when all together take too much memory, and gives that back", async () => {
  const budget = { left: 150 };
  const { client, reading } = await begin({ budget });
  client.write("x".repeat(100));
  await assert.rejects(reading, { code: "ERR_RATE_LIMITED" });
  assert.equal(budget.left, 150);
});

test("ends when the client goes away", async () => {
  const { client, reading } = await begin({});
  client.destroy();
  await assert.rejects(reading, { code: "ERR_INVALID" });
});

/** Asks without a credential; `body` is sent when the refusal is decided. */
async function refused(headers: Record<string, string | number>, body?: string) {
  let decided = () => {};
  const deciding = new Promise<void>((resolve) => {
    decided = resolve;
  });
  const authenticate = async () => {
    decided();
    return undefined;
  };
  const api = await serveApi({}, { auth: { authenticate, isAccount: () => true } });
  const client = request({
    port: api.port,
    host: "127.0.0.1",
    method: "PUT",
    path: "/api/v1/x",
    agent: false,
    headers,
  });
  client.flushHeaders();
  const answered = once(client, "response");
  await deciding;
  if (body !== undefined) client.end(body);
  const [{ statusCode, headers: received }] = (await answered) as [IncomingMessage];
  client.destroy();
  await api.close();
  return { status: statusCode, connection: received.connection };
}

const keep = { connection: "keep-alive" };

test("who is refused while still sending a small body can send it to its end, and hears why", async () => {
  const { status, connection } = await refused({ ...keep, "content-length": 5 }, "hello");
  assert.deepEqual({ status, connection }, { status: 401, connection: "keep-alive" });
});

test("a refusal waits for no body that is large, and for none that does not come (B2)", async () => {
  const cut = { status: 401, connection: "close" };
  assert.deepEqual(await refused({ ...keep, "content-length": 2 ** 21 }), cut);
  assert.deepEqual(await refused({ ...keep, "content-length": 5 }), cut);
});
