// A database in a real workerd, asked over the control socket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startServing } from "../testing/workerd.js";
import { D1_CONTROL, D1_DEFAULTS, type D1CallAnswer, type D1Statement, objectName } from "./wire.js";

test("keeps what the agent writes, and answers rows with what they took", async (t) => {
  const serving = await startServing(t);
  const object = objectName("a", 1);
  const call = async (...statements: D1Statement[]) =>
    (await serving.control(D1_CONTROL.call, { object, statements })).json() as D1CallAnswer;
  const made = await call(
    { sql: "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT, bytes BLOB)" },
    { sql: "INSERT INTO t (text, bytes) VALUES (?, ?), ('b', NULL)", params: ["a", [1, 2, 255]] },
  );
  assert.ok(made.ok, JSON.stringify(made));
  assert.equal(made.results[1]!.meta.changes, 2);
  assert.equal(made.results[1]!.meta.last_row_id, 2);
  const read = await call({ sql: "SELECT * FROM t -- all\n;" });
  assert.ok(read.ok);
  assert.deepEqual(read.results[0]!.rows, [
    [1, "a", [1, 2, 255]],
    [2, "b", null],
  ]);
  assert.equal(read.results[0]!.meta.changes, 0);
});

test("an object that was retired refuses everybody, one that is paused, now or since the start, refuses functions until it is no longer", async (t) => {
  const object = objectName("a", 1);
  const other = objectName("b", 1);
  const serving = await startServing(t, { settings: { d1: { ...D1_DEFAULTS, paused: [other] } } });
  const code = `export default { async fetch(request, env) {
    try { return new Response(JSON.stringify((await env.D1.prepare("SELECT 1 AS x").all()).results)); }
    catch (error) { return new Response(error.message); } } };`;
  await serving.deploy({ hello: code }, { databases: { D1: object } });
  await serving.deploy({ early: code }, { databases: { D1: other } });
  assert.match((await serving.get("early.base.test")).text, /D1_ERROR.*try again/);
  const asked = async () => (await serving.get("hello.base.test")).text;
  const called = async () =>
    ((await serving.control(D1_CONTROL.call, { object, statements: [{ sql: "SELECT 1" }] })).json() as D1CallAnswer).ok;
  assert.deepEqual([await asked(), await called()], ['[{"x":1}]', true]);
  await serving.control(D1_CONTROL.pause, { objects: [object], on: true });
  assert.match(await asked(), /D1_ERROR.*try again/);
  assert.equal(await called(), true);
  await serving.control(D1_CONTROL.pause, { objects: [object], on: false });
  assert.equal(await asked(), '[{"x":1}]');
  await serving.control(D1_CONTROL.retire, { objects: [object] });
  assert.match(await asked(), /D1_ERROR.*another one/);
  assert.equal(await called(), false);
});
