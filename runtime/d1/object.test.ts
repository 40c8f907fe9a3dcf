// A database in a real workerd, asked over the control socket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startServing } from "../testing/workerd.js";
import { D1_CONTROL, type D1CallAnswer, type D1Statement, objectName } from "./wire.js";

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
