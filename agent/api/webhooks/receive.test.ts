import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { connect } from "node:net";
import { after, test } from "node:test";
import { SECRET, serveApi } from "../testing.js";

const served = await serveApi();
after(() => served.close());
const { platform, sources } = served;

const COMMIT = "c".repeat(40);
const PUSH = JSON.stringify({ ref: "refs/heads/main", after: COMMIT, repository: { full_name: "me/functions" } });
let deliveries = 0;

interface Hook {
  body?: string | Buffer;
  path?: string;
  headers?: Record<string, string>;
  without?: string;
  secret?: string;
}

const sign = (body: string | Buffer, secret = SECRET) => createHmac("sha256", secret).update(body).digest("hex");

function headersOf({ body = PUSH, headers = {}, without, secret }: Hook): Record<string, string> {
  const all: Record<string, string> = {
    "content-type": "application/json",
    "x-github-event": "push",
    "x-github-delivery": `delivery-${++deliveries}`,
    "x-hub-signature-256": `sha256=${sign(body, secret)}`,
    ...headers,
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => name !== without));
}

function send(hook: Hook = {}) {
  const { body = PUSH, path = "/webhooks/default/github" } = hook;
  return served.ask(path, { method: "POST", token: null, body, headers: headersOf(hook) });
}

/** What a call leads to, with the number of syncs it caused. */
async function effect(hook: Hook) {
  served.pass(60_001);
  const before = platform.syncs.length;
  const { status, json } = await send(hook);
  return { status, code: json.code ?? json.result ?? null, syncs: platform.syncs.length - before };
}

test("accepts a signed push with a job, and tells the commit that was announced", async () => {
  const { status, json, headers } = await send();
  assert.deepEqual([status, headers.location], [202, json.url]);
  const { goal, wait, cause } = platform.syncs.at(-1)!;
  assert.deepEqual({ goal, wait, cause }, { goal: COMMIT, wait: false, cause: "webhook" });
});

test("answers with the report when asked to wait", async () => {
  const { status, json } = await send({ path: "/webhooks/default/github?wait=true" });
  assert.deepEqual([status, json.result], [200, "switched"]);
});

test("accepts a push sent as a form", async () => {
  const body = new URLSearchParams({ payload: PUSH }).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  assert.deepEqual(await effect({ body, headers }), { status: 202, code: null, syncs: 1 });
  assert.equal(platform.syncs.at(-1)?.goal, COMMIT);
});

test("believes the new signature when the SHA-1 header comes along, as GitHub sends both", async () => {
  assert.equal((await effect({ headers: { "x-hub-signature": `sha1=${"0".repeat(40)}` } })).syncs, 1);
});

test("wakes the source without a goal when its branch was deleted", async () => {
  const body = JSON.stringify({ ref: "refs/heads/main", after: "0".repeat(40), deleted: true });
  assert.deepEqual(await effect({ body }), { status: 202, code: null, syncs: 1 });
  assert.equal(platform.syncs.at(-1)?.goal, undefined);
});

const harmless: [string, Hook, string][] = [
  ["a ping", { body: '{"zen":"x"}', headers: { "x-github-event": "ping" } }, "pong"],
  ["another event", { body: "{}", headers: { "x-github-event": "issues" } }, "ignored"],
  ["a push to another branch", { body: PUSH.replace("heads/main", "heads/maintenance") }, "ignored"],
  ["a push of a tag of the branch's name", { body: PUSH.replace("heads/main", "tags/main") }, "ignored"],
];
for (const [name, hook, code] of harmless) {
  test(`answers ${name} with 200 and does nothing`, async () => {
    assert.deepEqual(await effect(hook), { status: 200, code, syncs: 0 });
  });
}

test("wakes a source of tags by a tag, and a source with previews by a branch", async () => {
  const before = sources.all.get("default")!;
  const tag = { body: PUSH.replace("heads/main", "tags/v1.2.0") };
  const branch = { body: PUSH.replace("heads/main", "heads/feature/a") };
  const settings = { ...before.settings, previews: ["feature/*"] };
  sources.all.set("default", { ...before, branch: "v1.1.0", settings: { ...settings, follow: { tags: "^1" } } });
  assert.deepEqual(await effect(tag), { status: 202, code: null, syncs: 1 });
  assert.equal(platform.syncs.at(-1)?.goal, COMMIT);
  assert.deepEqual(await effect(branch), { status: 202, code: null, syncs: 1 });
  assert.equal(platform.syncs.at(-1)?.goal, undefined);
  assert.deepEqual(await effect({}), { status: 200, code: "ignored", syncs: 0 });
  sources.all.set("default", before);
});

const flipped = Buffer.from(PUSH);
flipped[10] = (flipped[10] ?? 0) ^ 1;
const SIGNATURE = "ERR_WEBHOOK_SIGNATURE";
const mutations: [string, Hook, number, string][] = [
  [
    "one bit of the body changed",
    { body: flipped, headers: { "x-hub-signature-256": `sha256=${sign(PUSH)}` } },
    401,
    SIGNATURE,
  ],
  ["another secret", { secret: "guess" }, 401, SIGNATURE],
  ["no signature", { without: "x-hub-signature-256" }, 401, SIGNATURE],
  [
    "a signature cut short",
    { headers: { "x-hub-signature-256": `sha256=${sign(PUSH).slice(0, 63)}` } },
    401,
    SIGNATURE,
  ],
  ["a signature without its prefix", { headers: { "x-hub-signature-256": sign(PUSH) } }, 401, SIGNATURE],
  ["a signature of no bytes", { headers: { "x-hub-signature-256": "sha256=" } }, 401, SIGNATURE],
  ["a signature of odd bytes", { headers: { "x-hub-signature-256": `sha256=${"zz".repeat(32)}` } }, 401, SIGNATURE],
  [
    "only the SHA-1 header",
    {
      without: "x-hub-signature-256",
      headers: { "x-hub-signature": `sha1=${createHmac("sha1", SECRET).update(PUSH).digest("hex")}` },
    },
    401,
    SIGNATURE,
  ],
  ["a query that means nothing", { path: "/webhooks/default/github?token=x" }, 400, "ERR_INVALID"],
  ["no delivery id", { without: "x-github-delivery" }, 400, "ERR_INVALID"],
  ["a delivery id of odd characters", { headers: { "x-github-delivery": "a b/c" } }, 400, "ERR_INVALID"],
  ["no event", { without: "x-github-event" }, 400, "ERR_INVALID"],
  ["a body that is no JSON", { body: PUSH.slice(0, -5) }, 400, "ERR_INVALID"],
  ["an empty body", { body: "" }, 400, "ERR_INVALID"],
  ["JSON of another shape", { body: '{"ref":["refs/heads/main"],"after":1}' }, 400, "ERR_INVALID"],
  ["JSON that is no object", { body: "null" }, 400, "ERR_INVALID"],
  ["a commit that is an option", { body: PUSH.replace(COMMIT, "--upload-pack=x") }, 400, "ERR_INVALID"],
  ["JSON nested very deeply", { body: "[".repeat(200_000) }, 400, "ERR_INVALID"],
  ["an unknown content type", { headers: { "content-type": "text/plain" } }, 400, "ERR_INVALID"],
  [
    "a form without payload",
    { body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } },
    400,
    "ERR_INVALID",
  ],
  ["an unknown source", { path: "/webhooks/other/github" }, 404, "ERR_NOT_FOUND"],
  ["an unknown provider, whatever its headers say", { path: "/webhooks/default/other" }, 404, "ERR_NOT_FOUND"],
  ["another provider than the address names", { path: "/webhooks/default/gitlab" }, 401, SIGNATURE],
  ["a body over the limit", { body: Buffer.alloc(25 * 2 ** 20 + 1) }, 413, "ERR_TOO_LARGE"],
  [
    "a body over the limit that does not say its size",
    { body: Buffer.alloc(26 * 2 ** 20), headers: { "transfer-encoding": "chunked" } },
    413,
    "ERR_TOO_LARGE",
  ],
];
for (const [name, hook, status, code] of mutations) {
  test(`refuses ${name} and does nothing (C3)`, async () => {
    assert.deepEqual(await effect(hook), { status, code, syncs: 0 });
  });
}

test("does nothing twice for one delivery, and anything again for one that failed", async () => {
  const headers = { "x-github-delivery": "replayed" };
  const broken = { body: "{", headers };
  assert.equal((await effect(broken)).status, 400);
  assert.deepEqual(await effect({ headers }), { status: 202, code: null, syncs: 1 });
  assert.deepEqual(await effect({ headers }), { status: 200, code: "seen", syncs: 0 });
  assert.equal((await effect({ headers, secret: "guess" })).status, 401);
});

test("a forged request does not use up the delivery id of a real one", async () => {
  const headers = { "x-github-delivery": "predicted" };
  assert.equal((await effect({ headers, secret: "guess" })).status, 401);
  assert.equal((await effect({ headers })).syncs, 1);
});

test("answers a body cut short with a 4xx and does nothing (C3)", async () => {
  const before = platform.syncs.length;
  const head = Object.entries(headersOf({})).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(served.port ?? 0, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk;
    });
    socket.on("close", () => resolve(received)).on("error", reject);
    socket.end(
      `POST /webhooks/default/github HTTP/1.1\r\nhost: x\r\n${head.join("")}content-length: ${PUSH.length}\r\n\r\n${PUSH.slice(1)}`,
    );
  });
  assert.match(text, /^HTTP\/1\.1 4\d\d /);
  assert.equal(platform.syncs.length, before);
  assert.equal((await served.ask("/health")).status, 200);
});

test("limits wrong signatures of an address, reads nothing long from it, and still hears a right one (A8)", async () => {
  served.pass(60_001);
  for (let i = 0; i < 30; i++) assert.equal((await send({ secret: "guess" })).status, 401);
  assert.equal((await send({ secret: "guess" })).status, 429);
  assert.equal((await send({ body: Buffer.alloc(300_000) })).status, 429);
  assert.equal((await send()).status, 202);
});

test("refuses every webhook while no secret is set", async () => {
  const bare = await serveApi({}, { webhookSecret: "" });
  try {
    const { status, json } = await bare.ask("/webhooks/default/github", {
      method: "POST",
      token: null,
      body: PUSH,
      headers: headersOf({ secret: "" }),
    });
    assert.deepEqual([status, json.code], [403, "ERR_FORBIDDEN"]);
    assert.match(String(json.hint), /WEBHOOK_SECRET/);
  } finally {
    await bare.close();
  }
});
