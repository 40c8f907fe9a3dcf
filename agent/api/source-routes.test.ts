import assert from "node:assert/strict";
import { after, test } from "node:test";
import { serveApi } from "./testing.js";

const served = await serveApi();
after(() => served.close());
const { ask, sources } = served;
const S = "/api/v1/sources";
const REPO = "https://git.example.com/shop.git";
const send = (method: string, path: string, value: unknown) =>
  ask(`${S}${path}`, { method, body: JSON.stringify(value), headers: { "content-type": "application/json" } });
const given = () => sources.calls.at(-1)?.given;

test("an added source has the defaults of what is not named, and no credential is answered", async () => {
  const body = { name: "shop", repo: REPO, follow: { tags: "^1" }, credentials: { token: "canary" } };
  const { status, headers, text } = await send("POST", "", body);
  assert.deepEqual([status, headers.location], [201, `${S}/shop`]);
  assert.ok(!text.includes("canary"));
  const settings = {
    ...{ repo: REPO, follow: { tags: "^1" }, path: "", account: "main", interval: 10_000, atomic: false },
    ...{ prune: { percent: 50, count: 3 }, previews: [], previewSecrets: false, verify: null },
  };
  assert.deepEqual(given(), { settings, credentials: { token: "canary" } });
});

test("an edit hands on what is named and nothing else; null takes a credential or the policy away", async () => {
  const changes = { verify: null, interval: null };
  assert.equal((await send("PATCH", "/shop", { ...changes, credentials: { token: null } })).status, 200);
  assert.deepEqual(given(), { changes, credentials: { token: null } });
});

const refused: [string, string, string, unknown][] = [
  ["a source without repository", "POST", "", { name: "a" }],
  ["a source without name", "POST", "", { repo: REPO }],
  ["a setting that is unknown", "POST", "", { name: "a", repo: REPO, brnach: "main" }],
  ["a branch and tags", "POST", "", { name: "a", repo: REPO, follow: { branch: "main", tags: "^1" } }],
  ["neither branch nor tags", "PATCH", "/shop", { follow: {} }],
  ["a policy of something else", "PATCH", "/shop", { verify: { what: "push", signers: "x" } }],
  ["an interval that is no number", "PATCH", "/shop", { interval: "10s" }],
  ["a credential that is unknown", "PATCH", "/shop", { credentials: { password: "x" } }],
  ["an account that is none", "POST", "", { name: "a", repo: REPO, account: "nobody" }],
  ["an end that is no time", "POST", "/shop/suspend", { expires: "tomorrow" }],
];
for (const [name, method, path, body] of refused) {
  test(`refuses ${name} before anything is asked of the sources`, async () => {
    const calls = sources.calls.length;
    const { status, json } = await send(method, path, body);
    assert.deepEqual([status, json.code, sources.calls.length], [400, "ERR_INVALID", calls]);
  });
}

test("what is not there is not found, and a suspension is answered with who and until when", async () => {
  assert.equal((await send("PATCH", "/nowhere", {})).status, 404);
  const suspended = await send("POST", "/shop/suspend", { reason: "fair", expires: "2100-01-01T00:00:00Z" });
  assert.deepEqual(suspended.json.expiresAt, Date.parse("2100-01-01T00:00:00Z"));
  assert.equal((await send("POST", "/shop/resume", {})).json.state, "ready");
  assert.equal((await ask(`${S}/shop?keepFunctions=true`, { method: "DELETE" })).status, 204);
  assert.deepEqual(given(), { keepFunctions: true });
});
