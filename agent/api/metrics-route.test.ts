import assert from "node:assert/strict";
import { after, test } from "node:test";
import { serveApi } from "./testing.js";

const served = await serveApi();
after(() => served.close());

const made = async (scopes: string[]) => {
  const body = JSON.stringify({ name: scopes.join("-"), scopes });
  const { json } = await served.ask("/api/v1/tokens", { method: "POST", body });
  return String(json.token);
};

test("A4, A7 answers numbers to a token for them, which is good for nothing else", async () => {
  const token = await made(["metrics"]);
  const answer = await served.ask("/metrics", { token });
  assert.equal(answer.status, 200);
  assert.match(String(answer.headers["content-type"]), /^text\/plain; version=0\.0\.4/);
  assert.match(answer.text, /^wrkst_build_info\{/m);
  for (const path of ["/api/v1/status", "/api/v1/whoami", "/api/v1/events", "/api/v1/functions/hello"]) {
    assert.ok([403, 404].includes((await served.ask(path, { token })).status), path);
  }
});

test("A7 refuses numbers without a credential, and with one for something else", async () => {
  assert.equal((await served.ask("/metrics", { token: null })).status, 401);
  assert.equal((await served.ask("/metrics", { token: await made(["read", "deploy", "git"]) })).status, 403);
  assert.equal((await served.ask("/metrics")).status, 200);
});

test("answers in the format that Prometheus asks for", async () => {
  const accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
  const formatOf = async (wanted: string) =>
    String((await served.ask("/metrics", { headers: { accept: wanted } })).headers["content-type"]).split(";")[0];
  assert.equal(await formatOf(accept), "application/openmetrics-text");
  assert.equal(await formatOf("*/*"), "text/plain");
  assert.equal(await formatOf("text/html"), "text/plain");
});

test("counts the calls of webhooks, and those of no provider as nobody's", async () => {
  const post = (path: string, headers = {}) => served.ask(path, { method: "POST", token: null, body: "{}", headers });
  await post("/webhooks/default/github", { "x-hub-signature-256": `sha256=${"0".repeat(64)}` });
  await post("/webhooks/default/nobody");
  await post("/webhooks/elsewhere/github");
  const { text } = await served.ask("/metrics");
  assert.match(text, /^wrkst_webhook_requests_total\{provider="github",result="unsigned"\} 1$/m);
  assert.match(text, /^wrkst_webhook_requests_total\{provider="_other",result="unknown"\} 1$/m);
  assert.match(text, /^wrkst_webhook_requests_total\{provider="github",result="unknown"\} 1$/m);
});
