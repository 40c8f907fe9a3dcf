import assert from "node:assert/strict";
import { after, test } from "node:test";
import { serveApi } from "./testing.js";

const served = await serveApi();
after(() => served.close());
const PATH = "/api/v1/notifications";
const send = (method: string, path: string, body?: object, headers = {}) =>
  served.ask(path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
const address = "https://hooks.example.com/services/hidden";

test("adds a receiver, answers its secret once and its address never, and lists it (B8)", async () => {
  const body = { name: "ops", kind: "webhook", address, events: ["function.*"], errorsOnly: true };
  const added = await send("POST", PATH, body, { "idempotency-key": "once" });
  assert.deepEqual([added.status, added.headers.location, added.json.host], [201, `${PATH}/ops`, "hooks.example.com"]);
  assert.match(String(added.json.secret), /^whsec_/);
  const again = await send("POST", PATH, body, { "idempotency-key": "once" });
  assert.deepEqual([again.status, again.json.secret], [409, undefined]);
  for (const path of [PATH, `${PATH}/ops`]) {
    const { status, text } = await send("GET", path);
    assert.equal(status, 200);
    assert.ok(!/whsec_|hidden/.test(text), text);
  }
});

test("edits, tests and removes a receiver", async () => {
  const edited = await send("PATCH", `${PATH}/ops`, { sources: ["shop"], rotate: true });
  assert.deepEqual([edited.status, edited.json.sources, typeof edited.json.secret], [200, ["shop"], "string"]);
  const { status, json } = await send("POST", `${PATH}/ops/test`);
  assert.deepEqual([status, json.isSent, json.status], [200, true, 204]);
  assert.equal((await send("DELETE", `${PATH}/ops`)).status, 204);
  assert.equal((await send("DELETE", `${PATH}/ops`)).status, 404);
  assert.equal((await send("POST", `${PATH}/ops/test`)).status, 404);
});

test("refuses what is no receiver", async () => {
  const good = { name: "more", kind: "slack", address };
  const wrong = [
    { kind: "irc" },
    { events: [] },
    { events: ["Function failed"] },
    { name: "No Name" },
    { adress: "x" },
  ];
  for (const part of wrong)
    assert.equal((await send("POST", PATH, { ...good, ...part })).status, 400, JSON.stringify(part));
  assert.equal((await send("PATCH", `${PATH}/more`, { kind: "webhook" })).status, 400);
});
