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

test("while an object is held reads are answered and writes wait, until they are done there or by its successor; every write changes its state", async (t) => {
  const serving = await startServing(t);
  const [object, by] = [objectName("a", 1), objectName("a", 2)];
  const code = `export default { async fetch(request, env) {
    return Response.json((await env.D1.prepare(await request.text()).raw()).flat());
  } };`;
  await serving.deploy({ hello: code }, { databases: { D1: object } });
  const ask = async (sql: string) => (await serving.get("hello.base.test", "/", { body: sql })).text;
  const call = async (name: string, sql: string) =>
    (await serving.control(D1_CONTROL.call, { object: name, statements: [{ sql }] })).json() as D1CallAnswer;
  const hold = async (on: boolean) =>
    ((await serving.control(D1_CONTROL.hold, { object, on })).json() as { state: string }).state;
  for (const name of [object, by]) await call(name, "CREATE TABLE t (x)");
  const before = await hold(false);
  assert.equal(await ask("SELECT 1"), "[1]");
  assert.equal(await hold(false), before);
  await ask("INSERT INTO t VALUES ('old')");
  const after = await hold(true);
  assert.notEqual(after, before);
  const waiting = [ask("INSERT INTO t VALUES ('first') RETURNING x"), call(object, "INSERT INTO t VALUES ('second')")];
  assert.equal(await ask("SELECT x FROM t"), '["old"]');
  assert.equal(await hold(true), after);
  await serving.control(D1_CONTROL.succeed, { object, by });
  assert.equal(await waiting[0], '["first"]');
  assert.ok(((await waiting[1]) as D1CallAnswer).ok);
  assert.equal(await ask("SELECT group_concat(x) FROM (SELECT x FROM t ORDER BY x)"), '["first,second"]');
});
