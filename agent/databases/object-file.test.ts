import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { D1_CONTROL, objectName } from "../../runtime/d1/wire.js";
import { startServing } from "../../runtime/testing/workerd.js";
import { objectFile, removeObject, sizeOf, stateOf } from "./object-file.js";
import { newFolder, readDatabase, writeDatabase } from "./testing.js";

test("the runtime keeps the object of a database in the file that is foreseen, and finds what was put there before", async (t) => {
  const serving = await startServing(t);
  const call = async (object: string, sql: string) => {
    const answer = await serving.control(D1_CONTROL.call, { object, statements: [{ sql }] });
    return (answer.json() as { results: { rows: unknown[][] }[] }).results[0]?.rows;
  };
  const database = "3f2b8c1e-0000-4000-8000-000000000001";
  const file = objectFile(serving.dataDir, database, 1);
  assert.equal(existsSync(file), false);
  await call(objectName(database, 1), "CREATE TABLE t AS SELECT 41 AS x");
  assert.deepEqual(readDatabase(file, "SELECT x FROM t"), [41]);
  writeDatabase(objectFile(serving.dataDir, database, 2), "CREATE TABLE t AS SELECT 42 AS x");
  assert.deepEqual(await call(objectName(database, 2), "SELECT x FROM t"), [[42]]);
  assert.deepEqual(await call(objectName(database, 1), "SELECT x FROM t"), [[41]]);
});

test("the state of a file is another one after every commit, also one that is in its log only", (t) => {
  const file = join(newFolder(t), "a.sqlite");
  const states = [stateOf(file)];
  writeDatabase(file, "CREATE TABLE t (x)");
  states.push(stateOf(file));
  writeFileSync(`${file}-wal`, "log");
  states.push(stateOf(file));
  assert.equal(new Set(states).size, 3);
  assert.ok(sizeOf(file) > 3);
  removeObject(file);
  assert.deepEqual([stateOf(file), sizeOf(file)], [states[0], 0]);
});
