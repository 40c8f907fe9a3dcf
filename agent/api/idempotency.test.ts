import assert from "node:assert/strict";
import { test } from "node:test";
import { WrkstError } from "../errors.js";
import { newRegistry } from "../store/test-registry.js";
import { createIdempotency, type IdempotentWrite } from "./idempotency.js";
import { Reply } from "./routes.js";
import { serveApi } from "./testing.js";

function write(key: string, body = "{}", spec: Partial<IdempotentWrite["spec"]> = {}): IdempotentWrite {
  const req = { headers: { "idempotency-key": key }, method: "POST", originalUrl: "/api/v1/things" };
  const identity = { subject: "ann", account: "ann" };
  const call = { req, identity } as unknown as IdempotentWrite["call"];
  return { call, spec: { method: "POST", rule: {}, ...spec }, bytes: Buffer.from(body), isPlain: true };
}

test("answers the same after a restart, with status and headers", async (t) => {
  const { registry } = newRegistry(t);
  let done = 0;
  const act = () => new Reply({ number: ++done }, { status: 201, headers: { location: "/things/1" } });
  await createIdempotency(registry.writes).run(write("a"), act);
  const again = (await createIdempotency(registry.writes).run(write("a"), act)) as Reply;
  assert.deepEqual([again.status, again.value, again.headers.location], [201, { number: 1 }, "/things/1"]);
  assert.equal(done, 1);
  await assert.rejects(createIdempotency(registry.writes).run(write("a", "other"), act), { code: "ERR_KEY_REUSED" });
});

test("an answer of nothing is nothing again", async (t) => {
  const { registry } = newRegistry(t);
  const { run } = createIdempotency(registry.writes);
  await run(write("a"), () => undefined);
  assert.equal(((await run(write("a"), () => "twice")) as Reply).value, undefined);
});

test("refuses a second request while the first runs, and answers it afterwards", async (t) => {
  const { registry } = newRegistry(t);
  const { run } = createIdempotency(registry.writes);
  let finish = (_: unknown) => {};
  const first = run(write("a"), () => new Promise((resolve) => (finish = resolve)));
  await assert.rejects(
    run(write("a"), () => assert.fail("ran twice")),
    { code: "ERR_CONFLICT", message: /still runs/ },
  );
  finish({ done: true });
  assert.deepEqual(await first, { done: true });
  assert.deepEqual(((await run(write("a"), () => assert.fail("ran twice"))) as Reply).value, { done: true });
});

test("D2 a write that the agent was killed in does not happen again, and the second request is told so", async (t) => {
  const { registry } = newRegistry(t);
  void createIdempotency(registry.writes).run(write("a"), () => new Promise(() => {}));
  const afterRestart = createIdempotency(registry.writes);
  await assert.rejects(
    afterRestart.run(write("a"), () => assert.fail("ran twice")),
    { code: "ERR_CONFLICT", message: /the platform stopped/ },
  );
});

test("an answer that is too large is not kept, and the write not repeated", async (t) => {
  const { registry } = newRegistry(t);
  const { run } = createIdempotency(registry.writes);
  await run(write("a"), () => "x".repeat(300_000));
  await assert.rejects(
    run(write("a"), () => assert.fail("ran twice")),
    { code: "ERR_CONFLICT", message: /too large/ },
  );
});

test("B8 a token is made once under its key, and the registry never holds it", async () => {
  const { ask, registry, close } = await serveApi();
  try {
    const request = { method: "POST", body: JSON.stringify({ name: "ci", scopes: ["read"] }) };
    const headers = { "idempotency-key": "token-1" };
    const first = await ask("/api/v1/tokens", { ...request, headers });
    assert.equal(first.status, 201);
    const again = await ask("/api/v1/tokens", { ...request, headers });
    assert.deepEqual([again.status, again.json.code], [409, "ERR_CONFLICT"]);
    assert.match(String(again.json.detail), /secret/);
    assert.equal(((await ask("/api/v1/tokens")).json.tokens as unknown[]).length, 1);
    assert.deepEqual(registry.writes.write({ subject: "admin", key: "token-1" })?.answer, null);
  } finally {
    await close();
  }
});

test("statements are not run twice under one key, whether their rows came or the runtime ended meanwhile", async (t) => {
  const { registry } = newRegistry(t);
  const { run } = createIdempotency(registry.writes);
  const query = (key: string) => write(key, "{}", { rows: true });
  const twice = () => assert.fail("ran twice");
  await run(query("a"), () => ({ results: [] }));
  await assert.rejects(run(query("a"), twice), { code: "ERR_CONFLICT", message: /was done.*rows/ });
  assert.equal(registry.writes.write({ subject: "ann", key: "a" })?.answer, null);
  const ended = () => Promise.reject(new WrkstError("ERR_RUNTIME", "the runtime ended"));
  await assert.rejects(run(query("b"), ended), { code: "ERR_RUNTIME" });
  await assert.rejects(run(query("b"), twice), { code: "ERR_CONFLICT", message: /stopped/ });
  const refused = () => Promise.reject(new WrkstError("ERR_SQL", "near: syntax error"));
  await assert.rejects(run(query("c"), refused), { code: "ERR_SQL" });
  assert.equal(await run(query("c"), () => "done"), "done");
});
