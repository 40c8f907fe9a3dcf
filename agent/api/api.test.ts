import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { passReport } from "./memory-platform.js";
import { serveApi, TOKEN } from "./testing.js";

const served = await serveApi();
const folder = await mkdtemp(join(tmpdir(), "wrkst-api-"));
after(async () => {
  await served.close();
  await rm(folder, { recursive: true, force: true });
});
const { ask, platform } = served;

const filled = (path: string) =>
  path.replace(/[:*](\w+)/g, (_, name) => (name === "path" ? "functions.git/info/refs" : "default"));

test("has routes of which only health, login, webhooks and addresses with a secret are open", () => {
  const open = served.api.routes.filter(({ rule }) => rule === "open").map(({ path }) => path);
  const login = ["/auth/callback", "/device", "/oauth2/auth", "/oauth2/confirm", "/oauth2/device/auth"];
  const others = ["/oauth2/revoke", "/oauth2/token", "/readyz", "/transfers/:id", "/webhooks/:source/:provider"];
  assert.deepEqual([...new Set(open)].sort(), [
    "/.well-known/oauth-authorization-server",
    ...login.slice(0, 2),
    "/health",
    "/healthz",
    ...login.slice(2),
    ...others,
  ]);
});

const guarded = served.api.routes.filter(({ rule }) => rule !== "open");
for (const { method: given, path } of guarded) {
  const method = given === "ALL" ? "POST" : given;
  test(`refuses ${method} ${path} without a credential and with a wrong one (A7)`, async () => {
    const before = platform.syncs.length + platform.calls.length + served.git.length;
    for (const token of [null, `${TOKEN}x`]) {
      served.pass(60_001);
      const { status, headers } = await ask(filled(path), { method, token });
      assert.equal(status, 401);
      assert.match(headers["www-authenticate"] ?? "", path.startsWith("/git/") ? /^Basic / : /^Bearer /);
    }
    assert.equal(platform.syncs.length + platform.calls.length + served.git.length, before);
  });
}

test("refuses what is no route before it says so", async () => {
  for (const path of ["/", "/nope", "/api/v2", "//api/v1/status", "/HEALTHZ", "/healthz/x", "/webhooks/a/b/c"]) {
    assert.equal((await ask(path, { token: null })).status, 401, path);
    const { status, json, headers } = await ask(path);
    assert.equal(status, 404, path);
    assert.equal(json.code, "ERR_NO_ROUTE");
    assert.equal(headers["content-type"], "application/problem+json");
  }
});

test("answers health without a credential", async () => {
  assert.deepEqual((await ask("/health", { token: null })).json, { status: "healthy" });
  const { status, json } = await ask("/healthz", { token: null });
  assert.equal(status, 200);
  assert.deepEqual(json.runtime, { state: "running", restarts: 0 });
  assert.equal((await ask("/readyz", { token: null })).status, 200);
  platform.reasons = ["the first pass is not done"];
  const waiting = await ask("/readyz", { token: null });
  platform.reasons = [];
  assert.equal(waiting.status, 503);
  assert.deepEqual(waiting.json.reasons, ["the first pass is not done"]);
});

test("answers status, functions, sources and events", async () => {
  const status = await ask("/api/v1/status");
  assert.deepEqual(Object.keys(status.json), ["sources", "functions", "drift", "runtime"]);
  assert.equal((await ask("/api/v1/functions/hello")).json.state, "ready");
  assert.equal((await ask("/api/v1/sources/default")).json.branch, "main");
  assert.equal((await ask("/api/v1/sources")).status, 200);
  const first = await ask("/api/v1/functions?limit=1");
  assert.equal(first.json.cursor, "hello");
  const second = await ask(`/api/v1/functions?limit=1&after=${first.json.cursor}`);
  assert.deepEqual([(second.json.functions as { name: string }[])[0]?.name, second.json.cursor], ["wasm", null]);
  assert.equal((await ask("/api/v1/events?after=1&limit=1")).json.cursor, "2");
});

const wrong: [string, string, number, string][] = [
  ["GET", "/api/v1/functions/nope", 404, "ERR_NOT_FOUND"],
  ["GET", "/api/v1/functions/..%2f..", 400, "ERR_INVALID"],
  ["GET", "/api/v1/functions/%ff", 400, "ERR_INVALID"],
  ["GET", "/api/v1/functions?limit=0", 400, "ERR_INVALID"],
  ["GET", "/api/v1/functions?limit=1&limit=2", 400, "ERR_INVALID"],
  ["GET", "/api/v1/functions?state=fine", 400, "ERR_INVALID"],
  ["GET", "/api/v1/events?limit=100000", 400, "ERR_INVALID"],
  ["GET", "/api/v1/events?after=-1", 400, "ERR_INVALID"],
  ["GET", "/api/v1/status?wait=true", 400, "ERR_INVALID"],
  ["GET", "/api/v1/jobs/nope", 404, "ERR_NOT_FOUND"],
  ["POST", "/api/v1/sources/nope/sync", 404, "ERR_NOT_FOUND"],
  ["POST", "/api/v1/sources/default/sync?wiat=true", 400, "ERR_INVALID"],
  ["POST", "/api/v1/status", 404, "ERR_NO_ROUTE"],
  ["GET", "/git/functions.git/..%2fx", 404, "ERR_NOT_FOUND"],
  ["GET", "/git/functions", 404, "ERR_NOT_FOUND"],
];
for (const [method, path, status, code] of wrong) {
  test(`answers ${method} ${path} with ${status} and a problem document (B1)`, async () => {
    const answer = await ask(path, { method });
    assert.deepEqual([answer.status, answer.json.status, answer.json.code], [status, status, code]);
    assert.equal(answer.json.requestId, answer.headers["x-request-id"]);
  });
}

test("syncs a source, with a job or with the report", async () => {
  const accepted = await ask("/api/v1/sources/default/sync", { method: "POST" });
  assert.equal(accepted.status, 202);
  assert.equal(accepted.headers.location, accepted.json.url);
  assert.equal((await ask(String(accepted.json.url))).json.state, "running");
  platform.outcome = passReport({ result: "unchanged" });
  const done = await ask("/api/v1/sources/default/sync?wait=true&prune=true", { method: "POST" });
  assert.deepEqual([done.status, done.json.result], [200, "unchanged"]);
  const { prune, wait, cause, author, force } = platform.syncs.at(-1)!;
  assert.deepEqual(
    { prune, wait, cause, author, force },
    { prune: true, wait: true, cause: "sync", author: "admin", force: true },
  );
});

test("restores and resumes a function in the name of who asks", async () => {
  assert.equal((await ask("/api/v1/functions/hello/restore", { method: "POST" })).json.name, "hello");
  assert.equal((await ask("/api/v1/functions/hello/resume", { method: "POST" })).status, 200);
  assert.deepEqual(platform.calls.slice(-2), ["restore hello admin", "release hello admin"]);
});

test("hands git its requests as they are, with Basic credentials", async () => {
  const authorization = `Basic ${Buffer.from(`x:${TOKEN}`).toString("base64")}`;
  const body = Buffer.alloc(200_000);
  const path = "/git/functions.git/git-receive-pack?service=x";
  const { status, text } = await ask(path, { method: "POST", headers: { authorization }, body });
  assert.deepEqual([status, text], [200, path]);
  assert.deepEqual(served.git.at(-1), { pathInfo: "/functions.git/git-receive-pack", who: "admin", bytes: 200_000 });
});

test("refuses a body where none belongs", async () => {
  const { status } = await ask("/api/v1/sources/default/sync", { method: "POST", body: Buffer.alloc(70_000) });
  assert.equal(status, 413);
});

test("keeps the reason of an unforeseen failure to the log (B5)", async () => {
  const before = platform.status;
  platform.status = async () => {
    throw new TypeError("canary: cannot read /srv/x");
  };
  const answer = await ask("/api/v1/status");
  platform.status = before;
  assert.deepEqual([answer.status, answer.json.code], [500, "ERR_INTERNAL"]);
  assert.doesNotMatch(answer.text, /canary/);
  assert.match(served.logged(), /canary/);
});

test("refuses an address with too many wrong tokens, but never the right one (A8)", async () => {
  served.pass(120_000);
  for (let i = 0; i < 30; i++) assert.equal((await ask("/api/v1/status", { token: "wrong" })).status, 401);
  assert.equal((await ask("/api/v1/status", { token: "wrong" })).status, 429);
  assert.equal((await ask("/api/v1/status", { token: null })).status, 401);
  assert.equal((await ask("/api/v1/status")).status, 200);
  served.pass(60_001);
  assert.equal((await ask("/api/v1/status", { token: "wrong" })).status, 401);
});

test("believes the router's word on addresses on its own socket only (B5a)", async () => {
  const socketPath = join(folder, "agent.sock");
  await writeFile(socketPath, "left over");
  const routed = await serveApi({ socketPath });
  try {
    assert.equal((await stat(socketPath)).mode & 0o777, 0o600);
    const headers = { "cf-connecting-ip": "192.0.2.7", "x-request-id": "0123456789abcdef" };
    for (const { ask } of [routed, served]) await ask("/health", { headers });
    assert.match(routed.logged(), /"address":"192\.0\.2\.7","requestId":"0123456789abcdef"/);
    assert.doesNotMatch(served.logged(), /192\.0\.2\.7|0123456789abcdef/);
  } finally {
    await routed.close();
  }
});

test("never logs a credential", async () => {
  await ask("/api/v1/status?token=canary-in-query");
  assert.ok(!served.logged().includes(TOKEN));
  assert.doesNotMatch(served.logged(), /canary-in-query/);
});
