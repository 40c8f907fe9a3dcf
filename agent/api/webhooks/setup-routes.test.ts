import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SECRET, serveApi } from "../testing.js";

const served = await serveApi();
after(() => served.close());
const path = "/api/v1/sources/default/webhooks";
const set = (provider: string, body: object = {}, headers = {}) =>
  served.ask(`${path}/${provider}`, {
    ...{ method: "POST", body: JSON.stringify(body) },
    headers: { "content-type": "application/json", ...headers },
  });

test("answers address and secret of a webhook, and says which are set", async () => {
  const { status, json } = await set("gitlab");
  assert.equal(status, 200);
  assert.equal(json.url, "http://localhost:8080/webhooks/default/gitlab");
  assert.deepEqual([json.secret, json.created], [SECRET, false]);
  const { json: list } = await served.ask(path);
  const webhooks = list.webhooks as { provider: string; isSet: boolean | null }[];
  const state = Object.fromEntries(webhooks.map(({ provider, isSet }) => [provider, isSet]));
  assert.deepEqual([state.gitlab, state.oidc], [true, null]);
  assert.equal(JSON.stringify(list).includes(String(json.secret)), false);
});

test("a CI job's webhook has an address and no secret", async () => {
  const { json } = await set("oidc");
  assert.deepEqual(json, {
    ...{ source: "default", provider: "oidc", url: "http://localhost:8080/webhooks/default/oidc" },
    ...{ secret: null, created: false },
  });
});

test("says that the secret of the environment is changed there", async () => {
  const { status, json } = await set("gitea", { rotate: true });
  assert.deepEqual([status, json.code], [409, "ERR_CONFLICT"]);
});

test("an answer with a secret is not kept for a second request with the same Idempotency-Key (B8)", async () => {
  const headers = { "idempotency-key": "once" };
  assert.equal((await set("github", {}, headers)).status, 200);
  const again = await set("github", {}, headers);
  assert.deepEqual([again.status, again.json.secret], [409, undefined]);
});

test("knows no other source, provider or field", async () => {
  assert.equal((await set("svn")).status, 404);
  assert.equal((await served.ask("/api/v1/sources/other/webhooks")).status, 404);
  assert.equal((await set("github", { secret: "mine" })).status, 400);
});
