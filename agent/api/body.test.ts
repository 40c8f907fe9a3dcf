import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { type BodyLimits, readBody } from "./body.js";

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
