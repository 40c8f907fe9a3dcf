import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Identity } from "../auth/index.js";
import { type Bucket, drawToken, kindOf, RATES } from "./rates.js";
import { serveApi } from "./testing.js";

const RATE = { burst: 3, perMinute: 60 };
const draws: [string, Bucket | undefined, number, { tokens: number; wait: number }][] = [
  ["a first request finds a full bucket", undefined, 0, { tokens: 2, wait: 0 }],
  ["the last token is given", { tokens: 1, at: 0 }, 0, { tokens: 0, wait: 0 }],
  ["an empty bucket names the time of its next token", { tokens: 0, at: 0 }, 0, { tokens: 0, wait: 1_000 }],
  ["a part of a token shortens the wait", { tokens: 0, at: 0 }, 250, { tokens: 0.25, wait: 750 }],
  ["whoever waited as told is served", { tokens: 0.25, at: 250 }, 1_000, { tokens: 0, wait: 0 }],
  ["a bucket never holds more than its burst", { tokens: 3, at: 0 }, 3_600_000, { tokens: 2, wait: 0 }],
  ["a clock that was set back takes nothing away", { tokens: 2, at: 5_000 }, 0, { tokens: 1, wait: 0 }],
];
for (const [name, before, now, { tokens, wait }] of draws) {
  test(name, () => assert.deepEqual(drawToken(before, RATE, now), { bucket: { tokens, at: now }, wait }));
}

const kinds = [
  ["GET", "/api/v1/functions", "read"],
  ["HEAD", "/api/v1/functions", "read"],
  ["POST", "/git/functions.git/git-upload-pack", "read"],
  ["POST", "/git/functions.git/git-receive-pack", "write"],
  ["PUT", "/client/v4/accounts/main/workers/scripts/a", "write"],
  ["DELETE", "/api/v1/tokens/1", "write"],
] as const;
for (const [method, path, kind] of kinds) {
  test(`${method} ${path} counts as a ${kind}`, () => assert.equal(kindOf({ method, path }), kind));
}

const callerOf = (subject: string): Identity => ({
  ...{ subject, name: subject, email: null, role: "viewer", account: "main", scopes: ["read"], isBound: false },
  credential: { kind: "api-token", id: subject },
});
const served = await serveApi(
  {},
  { auth: { authenticate: async (header) => callerOf(header?.slice(7) ?? ""), isAccount: () => true } },
);
after(() => served.close());

/** Statuses of so many requests at once, sorted. */
async function statusesOf(times: number, ask: () => Promise<{ status: number }>): Promise<number[]> {
  const statuses: number[] = [];
  for (let sent = 0; sent < times; sent += 50) {
    const batch = await Promise.all(Array.from({ length: Math.min(50, times - sent) }, ask));
    statuses.push(...batch.map(({ status }) => status));
  }
  return statuses;
}

test("a subject that writes too often is told when to come back, in the words of the family; others are served", async () => {
  const path = "/api/v1/functions/nowhere/resume";
  const write = (token = "busy") => served.ask(path, { method: "POST", token });
  assert.ok((await statusesOf(RATES.write.burst, write)).every((status) => status !== 429));
  const refused = await write();
  assert.deepEqual([refused.status, refused.headers["retry-after"]], [429, "1"]);
  assert.deepEqual(
    [refused.headers["content-type"], refused.json.code],
    ["application/problem+json", "ERR_RATE_LIMITED"],
  );
  const wrangler = await served.ask("/client/v4/accounts/main/workers/scripts/a", { method: "DELETE", token: "busy" });
  assert.deepEqual([wrangler.status, wrangler.headers["retry-after"], wrangler.json.success], [429, "1", false]);
  assert.equal((await served.ask("/api/v1/functions", { token: "busy" })).status, 200);
  assert.notEqual((await write("calm")).status, 429);
  served.pass(1_000);
  assert.notEqual((await write()).status, 429);
});

test("open routes count by address, and health is told always", async () => {
  const open = (path: string) => () => served.ask(path, { method: "POST", token: null });
  const statuses = await statusesOf(RATES.write.burst, open("/oauth2/token"));
  assert.ok(statuses.every((status) => status === 400));
  for (const path of ["/oauth2/token", "/webhooks/default/github"]) {
    const { status, headers } = await open(path)();
    assert.deepEqual([status, headers["retry-after"]], [429, "1"], path);
  }
  assert.notEqual((await served.ask("/api/v1/tokens", { method: "POST", token: "calm" })).status, 429);
  const health = await statusesOf(RATES.read.burst + 1, () => served.ask("/healthz", { token: null }));
  assert.ok(health.every((status) => status === 200));
});
