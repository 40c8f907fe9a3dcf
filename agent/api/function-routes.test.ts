import assert from "node:assert/strict";
import { request } from "node:http";
import { after, test } from "node:test";
import { serveApi, TOKEN } from "./testing.js";

const served = await serveApi();
after(() => served.close());
const { ask, deploys } = served;
const HELLO = { account: "main", name: "hello" };
const version = deploys.seed(HELLO);
const F = "/api/v1/functions/hello";
const json = (method: string, value: unknown, headers = {}) => ({ method, body: JSON.stringify(value), headers });

test("pins, shows the pin, explains it, and releases it", async () => {
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const pin = { version, reason: "holding for the fair", expires };
  assert.equal((await ask(`${F}/pins/latest`, json("PUT", pin))).status, 200);
  assert.deepEqual(
    deploys.holds(HELLO).map(({ reason, expiresAt: _, ...hold }) => [hold.version, reason]),
    [[version, "holding for the fair"]],
  );
  const why = (await ask(`${F}/why`)).json;
  assert.equal(why.state, "ready");
  assert.ok(typeof why.decision === "string" && typeof why.rule === "string" && typeof why.next === "string");
  assert.equal((await ask(`${F}/pins/latest`, { method: "DELETE" })).status, 204);
  assert.equal((await ask(`${F}/pins/latest`, { method: "DELETE" })).status, 404);
});

test("rolls back without a body, and with one", async () => {
  assert.equal((await ask(`${F}/rollback`, { method: "POST" })).json.cause, "rollback");
  assert.equal((await ask(`${F}/promote`, { method: "POST" })).json.cause, "api");
  assert.equal((await ask(`${F}/rollback`, json("POST", { to: version, reason: "x" }))).json.to, version);
  assert.equal((await ask(`${F}/rollback`, json("POST", { to: "ffffffff" }))).status, 404);
});

const wrong: [string, string, unknown][] = [
  ["a pin without version", "PUT pins/latest", {}],
  ["a pin with an unknown key", "PUT pins/latest", { version: "12345678", untill: 1 }],
  ["a pin that ended before it began", "PUT pins/latest", { version: "12345678", expires: "1970-01-01T00:00:01Z" }],
  ["a pin of a name that is none", "PUT pins/No", { version: "12345678" }],
  ["a rollback of another alias", "POST rollback", { alias: "stable" }],
  ["a list where an object belongs", "POST rollback", []],
];
for (const [what, call, body] of wrong) {
  test(`refuses ${what} with 400 and a problem document`, async () => {
    const [method = "", path = ""] = call.split(" ");
    const answer = await ask(`${F}/${path}`, json(method, body));
    assert.deepEqual([answer.status, answer.json.code], [400, "ERR_INVALID"]);
  });
}

test("refuses JSON that is too deep or too large, and names the limit (B2)", async () => {
  const deep = await ask(`${F}/rollback`, { method: "POST", body: `{"to":${"[".repeat(100)}${"]".repeat(100)}}` });
  assert.equal(deep.status, 400);
  assert.match(String(deep.json.detail), /64/);
  const large = await ask(`${F}/rollback`, { method: "POST", body: JSON.stringify({ to: "x".repeat(2 ** 20) }) });
  assert.equal(large.status, 413);
  assert.match(String(large.json.detail), /1048576/);
});

test("answers the same write with the same key once, and refuses the key for another write", async () => {
  const key = { "idempotency-key": "0b7d-1" };
  const first = await ask(`${F}/rollback`, json("POST", { to: version }, key));
  const count = deploys.deployments(HELLO).length;
  const again = await ask(`${F}/rollback`, json("POST", { to: version }, key));
  assert.deepEqual([again.status, again.json], [200, first.json]);
  assert.deepEqual(
    [first, again].map(({ headers }) => headers["idempotency-replayed"]),
    [undefined, "true"],
  );
  assert.equal(deploys.deployments(HELLO).length, count);
  const other = await ask(`${F}/rollback`, json("POST", { to: version, reason: "other" }, key));
  assert.deepEqual([other.status, other.json.code], [422, "ERR_KEY_REUSED"]);
  assert.equal((await ask(`${F}/rollback`, json("POST", {}, { "idempotency-key": "a b" }))).status, 400);
});

test("does not keep a failure under its key, nor anything for ever", async () => {
  const key = { "idempotency-key": "0b7d-2" };
  assert.equal((await ask(`${F}/rollback`, json("POST", { to: "ffffffff" }, key))).status, 404);
  const first = await ask(`${F}/rollback`, json("POST", { to: version }, key));
  assert.equal(first.status, 200);
  served.pass(24 * 3_600_000 + 1);
  const later = await ask(`${F}/rollback`, json("POST", { to: version }, key));
  assert.notEqual(later.json.id, first.json.id);
});

test("tells events as they happen, from where the listener was", async () => {
  const headers = { authorization: `Bearer ${TOKEN}`, accept: "text/event-stream", "last-event-id": "1" };
  const text = await new Promise<string>((resolve, reject) => {
    let seen = "";
    const req = request({ host: "127.0.0.1", port: served.port, path: "/api/v1/events", headers }, (res) => {
      assert.equal(res.headers["content-type"], "text/event-stream");
      res.on("data", (chunk) => {
        seen += chunk;
        if (!seen.includes("id: 3\n")) return;
        req.destroy();
        resolve(seen);
      });
    });
    req.on("error", reject).end();
  });
  assert.match(text, /^: listening\n\nid: 2\nevent: source\.synced\ndata: \{"id":2,/);
});

test("removes a function", async () => {
  assert.equal((await ask(F, { method: "DELETE" })).status, 204);
  assert.equal(deploys.known.has("hello"), false);
});
