import assert from "node:assert/strict";
import { test } from "node:test";
import { type Db, openSqlite } from "../sqlite.js";
import { MIGRATIONS, migrate } from "./migrations.js";

function schemaOf(db: Db): unknown {
  return db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all();
}

function latest(): Db {
  const db = openSqlite(":memory:");
  migrate(db);
  return db;
}

for (let step = 0; step <= MIGRATIONS.length; step++) {
  test(`a file of schema ${step} becomes the newest schema`, () => {
    const db = openSqlite(":memory:");
    migrate(db, MIGRATIONS.slice(0, step));
    assert.equal(db.pragma("user_version", { simple: true }), step);
    migrate(db);
    assert.equal(db.pragma("user_version", { simple: true }), MIGRATIONS.length);
    assert.deepEqual(schemaOf(db), schemaOf(latest()));
    assert.deepEqual(db.pragma("foreign_key_check"), []);
  });
}

test("B7a events of an older file belong to whoever had the name then, as far as that is known", () => {
  const db = openSqlite(":memory:");
  migrate(
    db,
    MIGRATIONS.slice(
      0,
      MIGRATIONS.findIndex((sql) => sql.includes("events_function_id")),
    ),
  );
  const add = db.prepare(
    "INSERT INTO functions (id, account, name, state, created_at, updated_at) VALUES (?, ?, ?, 'ready', ?, ?)",
  );
  add.run("f1", "ann", "shop", 100, 100);
  add.run("f2", "main", "hello", 100, 100);
  const note = db.prepare(
    "INSERT INTO events (at, kind, source, function, message) VALUES (?, 'function.x', ?, ?, '')",
  );
  const rows: [number, string | null, string | null][] = [
    [100, null, "shop"],
    [99, null, "shop"],
    [200, "default", "shop"],
    [200, "default", "hello"],
    [200, "default", "gone"],
    [200, "default", null],
  ];
  for (const row of rows) note.run(...row);
  migrate(db);
  assert.deepEqual(db.prepare("SELECT function_id, account FROM events ORDER BY id").raw().all(), [
    ["f1", "ann"],
    [null, null],
    [null, "main"],
    ["f2", "main"],
    [null, "main"],
    [null, null],
  ]);
});

test("a step that fails changes nothing, and the next start goes on from there", () => {
  const db = openSqlite(":memory:");
  const first = "CREATE TABLE a (x)";
  assert.throws(() => migrate(db, [first, "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)"]), /nowhere/);
  assert.equal(db.pragma("user_version", { simple: true }), 1);
  migrate(db, [first, "CREATE TABLE b (x)"]);
  assert.equal(db.pragma("user_version", { simple: true }), 2);
});

test("a file of a newer program is refused and left as it is", () => {
  const db = latest();
  db.pragma(`user_version = ${MIGRATIONS.length + 1}`);
  assert.throws(() => migrate(db), { code: "ERR_STORE" });
  assert.equal(db.pragma("user_version", { simple: true }), MIGRATIONS.length + 1);
});

test("every reference has an index, so that deleting a version does not read whole tables", () => {
  const db = latest();
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[];
  for (const table of tables) {
    const references = db.pragma(`foreign_key_list(${table})`) as { from: string }[];
    const indexes = db.pragma(`index_list(${table})`) as { name: string }[];
    const leading = indexes.map(({ name }) => (db.pragma(`index_info(${name})`) as { name: string }[])[0]?.name);
    for (const { from } of references) assert.ok(leading.includes(from), `${table}.${from}`);
  }
});
