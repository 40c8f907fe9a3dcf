import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { openSqlite } from "../sqlite.js";
import { fc, runs } from "../test-properties.js";
import { serveApi, TOKEN } from "./testing.js";

const served = await serveApi();
after(() => served.close());
const { databases } = served;
const BASE = "/api/v1/databases";

async function ask(path: string, method = "GET", body?: unknown) {
  const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  const { status, text, headers, json } = await served.ask(`${BASE}${path}`, { method, ...sent });
  return {
    status,
    text,
    headers,
    code: json.code,
    body: /json/.test(headers["content-type"] ?? "") && JSON.parse(text),
  };
}

test("makes a database, shows it, removes it, and brings it back", async () => {
  const made = await ask("", "POST", { name: "shop" });
  assert.equal(made.status, 201);
  assert.deepEqual([(await ask("", "POST", { name: "shop" })).code], ["ERR_CONFLICT"]);
  assert.deepEqual(
    [(await ask("/shop")).body.id, (await ask(`/${made.body.id}`)).body.name, (await ask("/shop")).body.tables],
    [made.body.id, "shop", 0],
  );
  assert.equal((await ask("/shop", "DELETE")).status, 204);
  assert.deepEqual([(await ask("/shop")).status, (await ask("/shop")).code], [404, "ERR_DATABASE_NOT_FOUND"]);
  assert.equal((await ask("?removed=true")).body.databases[0].id, made.body.id);
  assert.equal((await ask("/shop/undelete", "POST")).body.id, made.body.id);
  assert.deepEqual(
    databases.writes.map(({ what, by }) => [what, by.name]),
    [
      ["create", "admin"],
      ["remove", "admin"],
      ["undelete", "admin"],
    ],
  );
});

test("acts on the account that the query names, which must be there", async () => {
  databases.seed("other", "abroad");
  assert.equal((await ask("/abroad")).status, 404);
  assert.equal((await ask("/abroad?account=other")).body.account, "other");
  assert.equal((await ask("/abroad?account=nowhere")).code, "ERR_FORBIDDEN");
  assert.equal((await ask("/abroad?account=other&account=main")).code, "ERR_INVALID");
  assert.equal((await ask("/abroad?acount=other")).code, "ERR_INVALID");
});

test("a database that functions are bound to is removed by force only", async () => {
  databases.seed("main", "bound", { uses: [{ function: "hello", bindings: ["DB"], isOwner: true }] });
  const refused = await ask("/bound", "DELETE");
  assert.equal(refused.code, "ERR_CONFLICT");
  assert.match(refused.body.detail, /"hello"/);
  assert.equal((await ask("/bound?force=true", "DELETE")).status, 204);
});

test("queries by text, by statement with parameters, and by several, all rows as lists", async () => {
  databases.seed("main", "asked");
  const text = await ask("/asked/query", "POST", { sql: "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)" });
  assert.equal(text.body.results.length, 2);
  const one = await ask("/asked/query", "POST", { sql: "SELECT a FROM t WHERE a > ?", params: [1] });
  assert.deepEqual([one.body.results[0].columns, one.body.results[0].rows], [["a"], [[2]]]);
  const statements = [{ sql: "DELETE FROM t" }, { sql: "SELECT * FROM nothing" }];
  const failed = await ask("/asked/query", "POST", { statements });
  assert.deepEqual([failed.status, failed.code], [400, "ERR_SQL"]);
  const left = await ask("/asked/query", "POST", { sql: "SELECT count(*) FROM t" });
  assert.deepEqual(left.body.results[0].rows, [[2]]);
});

test("imports a file of SQL whole or not at all, and exports one", async () => {
  databases.seed("main", "files");
  const sql = "CREATE TABLE t(a);\n-- a comment; with a semicolon\nINSERT INTO t VALUES ('x');\n";
  const imported = await ask("/files/import", "POST", sql);
  assert.equal(imported.body.queries, 2);
  assert.equal((await ask("/files/snapshots")).body.snapshots[0].id, imported.body.snapshot);
  const url = `${served.url}/api/v1/databases/files/import`;
  const withKey = { authorization: `Bearer ${TOKEN}`, "idempotency-key": "import-1" };
  const keyed = await fetch(url, { method: "POST", headers: withKey, body: sql });
  assert.deepEqual([keyed.status, ((await keyed.json()) as { code: string }).code], [400, "ERR_INVALID"]);
  const broken = await ask("/files/import", "POST", "INSERT INTO t VALUES ('y'); nonsense;");
  assert.equal(broken.code, "ERR_SQL");
  const { text, headers } = await ask("/files/export?noSchema=true&tables=t,u");
  assert.match(text, /VALUES\('x'\)/);
  assert.doesNotMatch(text, /'y'|CREATE/);
  assert.equal(headers["content-disposition"], 'attachment; filename="files.sql"');
  assert.equal((await ask("/nowhere/import", "POST", sql)).code, "ERR_DATABASE_NOT_FOUND");
});

test("a snapshot is a database of its own, and the way back to it is kept", async () => {
  databases.seed("main", "kept");
  await ask("/kept/query", "POST", { sql: "CREATE TABLE t(a)" });
  const taken = await ask("/kept/snapshots", "POST");
  assert.deepEqual([taken.status, taken.body.cause], [201, "request"]);
  const answer = await fetch(`${served.url}${BASE}/kept/snapshots/${taken.body.id}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const file = join(served.dir, "fetched.sqlite");
  await writeFile(file, Buffer.from(await answer.arrayBuffer()));
  assert.equal(openSqlite(file).prepare("SELECT name FROM sqlite_schema").pluck().get(), "t");
  await rm(file);
  await ask("/kept/query", "POST", { sql: "DROP TABLE t" });
  const back = await ask("/kept/restore", "POST", { snapshot: taken.body.id });
  assert.equal(back.body.restored.id, taken.body.id);
  assert.equal((await ask("/kept")).body.tables, 1);
  await ask("/kept/restore", "POST", { snapshot: back.body.before.id });
  assert.equal((await ask("/kept")).body.tables, 0);
  assert.equal((await ask("/kept/restore", "POST", { snapshot: "nothing" })).code, "ERR_NOT_FOUND");
  assert.equal((await ask("/kept/restore", "POST", { time: "1971-01-01T00:00:00Z", snapshot: "x" })).status, 400);
});

test("lists and applies migrations without telling their text, and stops at the one that fails", async () => {
  const migrations = ["CREATE TABLE t(a)", "nonsense", "CREATE TABLE u(a)"].map((sql, index) => {
    return { name: `000${index + 1}_m.sql`, sql };
  });
  databases.seed("main", "moved", {
    set: { binding: "DB", folder: "hello/migrations", table: "d1_migrations", migrations },
  });
  const before = await ask("/moved/migrations");
  assert.deepEqual(before.body.pending, ["0001_m.sql", "0002_m.sql", "0003_m.sql"]);
  assert.deepEqual(before.body.declared, { binding: "DB", folder: "hello/migrations", table: "d1_migrations" });
  const failed = await ask("/moved/migrations", "POST");
  assert.deepEqual([failed.code, failed.body.position.file], ["ERR_MIGRATION", "hello/migrations/0002_m.sql"]);
  assert.deepEqual((await ask("/moved/migrations")).body.pending, ["0002_m.sql", "0003_m.sql"]);
  migrations[1]!.sql = "CREATE TABLE v(a)";
  assert.deepEqual((await ask("/moved/migrations", "POST")).body.applied, ["0002_m.sql", "0003_m.sql"]);
});

test("shares with a function, takes it back, and tells what was asked", async () => {
  databases.seed("main", "shared");
  assert.equal((await ask("/shared/shares/wasm", "PUT")).status, 204);
  assert.deepEqual((await ask("/shared")).body.uses, [{ function: "wasm", bindings: [], isOwner: false }]);
  assert.equal((await ask("/shared/shares/wasm", "DELETE")).status, 204);
  assert.equal((await ask("/shared/shares/No_Name", "PUT")).code, "ERR_INVALID");
  assert.equal((await ask("/shared/activity")).body.queries, 0);
});

test("answers malformed bodies of every route with 4xx, and goes on", async () => {
  databases.seed("main", "fuzz");
  const paths = ["", "/fuzz/query", "/fuzz/import", "/fuzz/restore"];
  const fields = fc.record(
    {
      ...{ name: fc.jsonValue(), sql: fc.jsonValue(), params: fc.jsonValue(), statements: fc.jsonValue() },
      ...{ snapshot: fc.jsonValue(), time: fc.oneof(fc.jsonValue(), fc.date({ noInvalidDate: true })) },
    },
    { requiredKeys: [] },
  );
  const texts = fc.oneof(
    fields.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), texts, async (path, body) => {
      served.pass(1000);
      const { status } = await ask(path, "POST", body);
      assert.ok(status < 300 || (status >= 400 && status < 500), `${path} ${body}: ${status}`);
    }),
    { numRuns: runs(300) },
  );
  assert.ok(!served.logged().includes("request failed"));
});
