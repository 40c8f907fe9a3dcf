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

/** A file as it was before the step that brought this. */
function before(what: string): Db {
  const db = openSqlite(":memory:");
  migrate(
    db,
    MIGRATIONS.slice(
      0,
      MIGRATIONS.findIndex((sql) => sql.includes(what)),
    ),
  );
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
  const db = before("events_function_id");
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

test("every function of an older file gets a database of its own, a removed one goes on being removed with it", () => {
  const db = before("CREATE TABLE databases");
  const add = db.prepare(
    `INSERT INTO functions (id, account, name, source, folder, state, created_at, updated_at, removed_at)
     VALUES (@id, @account, @name, 'default', @id, @state, 100, 100, @removed)`,
  );
  add.run({ id: "f1", account: "main", name: "hello", state: "ready", removed: null });
  add.run({ id: "f2", account: "ann", name: "gone", state: "removed", removed: 200 });
  add.run({ id: "f3", account: "main", name: "hello", state: "name-taken", removed: null });
  migrate(db);
  const rows = db.prepare("SELECT * FROM databases ORDER BY owner").all() as Record<string, unknown>[];
  const common = { default_for: "d1", declared: 0, epoch: 1, created_at: 100 };
  assert.deepEqual(
    rows.map(({ id: _, ...row }) => row),
    [
      { ...common, account: "main", name: "hello-d1", owner: "f1", removed_at: null, removed_with: 0 },
      { ...common, account: "ann", name: "gone-d1", owner: "f2", removed_at: 200, removed_with: 1 },
    ],
  );
  for (const { id } of rows)
    assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(rows[0]!.id, rows[1]!.id);
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
