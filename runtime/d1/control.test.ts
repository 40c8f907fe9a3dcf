// The agent's calls about databases, in a real workerd: scripts, dumps, counts, and what limits there are.
import assert from "node:assert/strict";
import { request } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { startServing, until } from "../testing/workerd.js";
import {
  D1_CONTROL,
  D1_DEFAULTS,
  type D1CallAnswer,
  type D1Dump,
  type D1Script,
  type D1ScriptAnswer,
  type D1Stats,
  type D1Value,
} from "./wire.js";

const MAX_SIZE = 8 * 1024 * 1024;
const settings = { d1: { ...D1_DEFAULTS, maxSize: MAX_SIZE, maxResult: 200_000, slow: 1 } };
const serving = await startServing({ after }, { settings });
await serving.deploy(
  {
    sql: `export default { async fetch(request, env) {
      try { return Response.json((await env.D1.prepare(await request.text()).all()).results); }
      catch (error) { return new Response(error.message); }
    } };`,
  },
  { databases: { D1: "function.1" } },
);
let objects = 0;
/** A new database. */
const fresh = () => `database.${++objects}`;
const post = async <T>(path: string, body: unknown) => (await serving.control(path, body)).json() as T;
const call = (object: string, sql: string, ...params: D1Value[]) =>
  post<D1CallAnswer>(D1_CONTROL.call, { object, statements: [{ sql, params }] });
const rowsOf = async (object: string, sql: string) => {
  const answer = await call(object, sql);
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.results[0]!.rows;
};
const script = (wanted: D1Script) => post<D1ScriptAnswer>(D1_CONTROL.script, wanted);
const run = async (object: string, sql: string) => {
  const answer = await script({ object, sql, quiet: true });
  assert.ok(answer.ok, JSON.stringify(answer));
};
const dump = async (wanted: D1Dump) => (await serving.control(D1_CONTROL.dump, wanted)).text;

test("a script is one transaction: its failure names the statement and its place, and leaves nothing", async () => {
  const object = fresh();
  const sql = `-- a comment; with a semicolon
CREATE TABLE t (v TEXT);
INSERT INTO t VALUES ('one;');
 INSERT INTO nowhere VALUES (1);`;
  const failed = await script({ object, sql });
  const statement = "INSERT INTO nowhere VALUES (1)";
  const error = "no such table: nowhere: SQLITE_ERROR";
  assert.deepEqual(failed, { ok: false, error, statement, offset: sql.indexOf(statement) });
  assert.deepEqual(await rowsOf(object, "SELECT name FROM sqlite_schema"), []);
});

test("a script runs what comes with it in the same transaction, and answers its rows if wanted", async () => {
  const object = fresh();
  const notes = [{ sql: "INSERT INTO notes VALUES (?)", params: ["applied"] }];
  const without = await script({ object, sql: "CREATE TABLE t (v)", notes });
  assert.equal(without.ok, false);
  assert.deepEqual(await rowsOf(object, "SELECT name FROM sqlite_schema"), []);
  await run(object, "CREATE TABLE notes (v)");
  const done = await script({ object, sql: "CREATE TABLE t (v); INSERT INTO t VALUES (1) RETURNING v;", notes });
  assert.ok(done.ok);
  assert.deepEqual(
    done.results.map(({ rows }) => rows),
    [[], [[1]], []],
  );
  assert.deepEqual(await rowsOf(object, "SELECT v FROM notes"), [["applied"]]);
});

test("a script that leaves foreign keys broken is refused with all that it did", async () => {
  const object = fresh();
  await run(object, "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id));");
  const failed = await script({ object, sql: "PRAGMA defer_foreign_keys = TRUE; INSERT INTO c VALUES (1);" });
  assert.ok(!failed.ok && /FOREIGN KEY constraint failed/.test(failed.error), JSON.stringify(failed));
  assert.deepEqual(await rowsOf(object, "SELECT count(*) FROM c"), [[0]]);
});

test("a commit that fails is an answer, and the object goes on", async () => {
  const object = fresh();
  await run(
    object,
    "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED);",
  );
  const failed = await call(object, "INSERT INTO c VALUES (1)");
  assert.ok(!failed.ok && /FOREIGN KEY constraint failed/.test(failed.error), JSON.stringify(failed));
  assert.deepEqual(await rowsOf(object, "SELECT count(*) FROM c"), [[0]]);
});

test("a function whose statement ended the object goes on with the next", async () => {
  const ask = async (sql: string) => (await serving.get("sql.base.test", "/", { body: sql })).text;
  await ask("CREATE TABLE p (id INTEGER PRIMARY KEY)");
  await ask("CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)");
  for (const _ of [1, 2])
    assert.match(await ask("INSERT INTO c VALUES (1)"), /^D1_ERROR: .*FOREIGN KEY constraint failed/);
  assert.equal(await ask("SELECT count(*) AS n FROM c"), '[{"n":0}]');
  await ask("INSERT INTO p VALUES (1)");
  assert.equal(await ask("INSERT INTO c VALUES (1) RETURNING p"), '[{"p":1}]');
});

const RICH = `CREATE TABLE c (p INTEGER REFERENCES p (id), note TEXT);
CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, "strange "" name" TEXT, b BLOB, r REAL, any_);
INSERT INTO p VALUES (1, 'it''s', x'00ff', 1.0, 9223372036854775807), (7, 'a' || char(10) || '\\n' || char(13), x'', 1e300, 1.0);
INSERT INTO p VALUES (9, 'nul' || char(0) || 'x', NULL, -0.1, char(1) || 'one'), (10, 'line' || char(10), NULL, 9e999, '12');
INSERT INTO c VALUES (1, '🙂'), (9, NULL);
CREATE TABLE 'quoted' (g INTEGER, twice INTEGER AS (g * 2) STORED);
INSERT INTO quoted (g) VALUES (21);
CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO w VALUES ('k', 'v');
CREATE INDEX i ON p (r DESC) WHERE r > 0;
CREATE VIEW v AS SELECT g FROM quoted;
CREATE TRIGGER x AFTER INSERT ON c BEGIN UPDATE p SET r = CASE WHEN r > 1 THEN 2.0 ELSE r END; SELECT ';'; END;`;

test("a dump brings back every value exactly, the schema, and the count of keys that were given out", async () => {
  const [from, to] = [fresh(), fresh()];
  await run(from, RICH);
  const text = await dump({ object: from });
  assert.ok(text.startsWith("PRAGMA defer_foreign_keys=TRUE;\n"));
  await run(to, text);
  for (const sql of [
    "SELECT type, name, tbl_name, replace(sql, 'IF NOT EXISTS ', '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY 1, 2",
    `SELECT id, typeof("strange "" name"), hex("strange "" name"), typeof(b), hex(b), typeof(r), CAST(r AS TEXT), typeof(any_), CAST(any_ AS TEXT) FROM p ORDER BY id`,
    "SELECT p, note FROM c ORDER BY rowid",
    "SELECT * FROM quoted",
    "SELECT * FROM w",
    "SELECT * FROM sqlite_sequence",
  ])
    assert.deepEqual(await rowsOf(to, sql), await rowsOf(from, sql), sql);
  assert.equal(await dump({ object: to }), text);
});

test("a dump has the tables, the schema or the rows that are asked for, and nothing of the platform", async () => {
  const object = fresh();
  await run(object, "CREATE TABLE a (x); CREATE TABLE b (y); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2);");
  const head = "PRAGMA defer_foreign_keys=TRUE;\n";
  assert.equal(await dump({ object, tables: ["a"] }), `${head}CREATE TABLE a (x);\nINSERT INTO "a" ("x") VALUES(1);\n`);
  assert.equal(await dump({ object, noData: true }), `${head}CREATE TABLE a (x);\nCREATE TABLE b (y);\n`);
  const rows = `INSERT INTO "a" ("x") VALUES(1);\nINSERT INTO "b" ("y") VALUES(2);\n`;
  assert.equal(await dump({ object, noSchema: true }), head + rows);
  assert.equal(await dump({ object: fresh() }), head);
});

test("a dump of what no SQL brings back is refused before anything of it is sent", async () => {
  const object = fresh();
  await run(object, "CREATE VIRTUAL TABLE f USING fts5 (a); CREATE TABLE t (x);");
  const { status, text } = await serving.control(D1_CONTROL.dump, { object });
  assert.equal(status, 422);
  assert.match(text, /D1 Export error: cannot export databases with Virtual Tables/);
  assert.match(await dump({ object, tables: ["t"] }), /CREATE TABLE t/);
});

test("a dump is one state: writes wait until it was read or given up, reads do not", async () => {
  const object = fresh();
  await run(object, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
  await run(
    object,
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 6000) INSERT INTO t SELECT x, hex(zeroblob(450)) FROM c",
  );
  await serving.deploy({ reads: READS }, { databases: { D1: object } });
  const reading = await openDump(object);
  let isWritten = false;
  const writing = serving.get("reads.base.test", "/write").then(({ text }) => {
    isWritten = true;
    return text;
  });
  assert.equal((await serving.get("reads.base.test", "/read")).text, "6000");
  assert.equal(isWritten, false);
  const text = await reading.rest();
  assert.equal(text.match(/^INSERT/gm)?.length, 6000);
  assert.equal(await writing, "6001");
  const givenUp = await openDump(object);
  const again = serving.get("reads.base.test", "/write");
  givenUp.end();
  assert.equal((await again).text, "6002");
});

const READS = `export default { async fetch(request, env) {
  if (request.url.endsWith("/write")) await env.D1.prepare("INSERT INTO t (v) VALUES ('new')").run();
  return new Response(String(await env.D1.prepare("SELECT count(*) AS n FROM t").first("n")));
} };`;

/** Begins to read a dump, of which much more is to come than fits between here and there. */
async function openDump(object: string) {
  const asked = request({ socketPath: join(serving.dataDir, "control.sock"), path: D1_CONTROL.dump, method: "POST" });
  asked.end(JSON.stringify({ object }));
  const incoming = await new Promise<import("node:http").IncomingMessage>((resolve) => asked.on("response", resolve));
  const end = () => asked.destroy();
  const rest = async () => {
    let text = "";
    for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
    return text;
  };
  return { end, rest };
}

test("D3: a database that reaches its limit refuses more in SQLite's words, stays whole, and takes less again", async () => {
  const object = fresh();
  await run(object, "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB); INSERT INTO t VALUES (0, zeroblob(500000));");
  const fill = `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000)
    INSERT INTO t SELECT x, randomblob(4000) FROM c`;
  for (const _ of [1, 2]) {
    const full = await call(object, fill);
    assert.deepEqual(full, { ok: false, error: "database or disk is full: SQLITE_FULL", statement: 0 });
  }
  assert.deepEqual(await rowsOf(object, "SELECT count(*) FROM t"), [[1]]);
  assert.deepEqual(await rowsOf(object, "PRAGMA quick_check"), [["ok"]]);
  await run(object, "DELETE FROM t; INSERT INTO t VALUES (1, zeroblob(600000));");
});

test("an answer that is too large is refused while its rows come, and the function goes on", async () => {
  const ask = async (sql: string) => (await serving.get("sql.base.test", "/", { body: sql })).text;
  const count = (limit: number) =>
    ask(
      `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${limit}) SELECT hex(zeroblob(500)) AS h FROM c`,
    );
  assert.equal(JSON.parse(await count(100)).length, 100);
  assert.match(await count(1_000_000_000), /^D1_ERROR: the result is too large.*SQLITE_TOOBIG/);
  assert.match(await ask("SELECT zeroblob(100000)"), /SQLITE_TOOBIG/);
  assert.equal(await ask("SELECT 1 AS one"), '[{"one":1}]');
});

test("a call that is too large is refused, also one that does not say its length", async () => {
  await serving.deploy(
    {
      large: `let stub, fetch;
function capture(shared) {
  while (!Object.hasOwn(shared, "fetch")) shared = Object.getPrototypeOf(shared);
  fetch ??= shared.fetch;
  shared.fetch = function (...given) { stub ??= this; return fetch.apply(this, given); };
}
export default { async fetch(request, env, context) {
  if (!fetch) capture(context.exports.default);
  await env.D1.prepare("SELECT 1").first();
  const piece = new TextEncoder().encode(" ".repeat(2 ** 20));
  const endless = () => new ReadableStream({ pull(controller) { controller.enqueue(piece); } });
  const send = (body) => fetch.call(stub, "http://d1/query", { method: "POST", body }).then((answer) => answer.json());
  return Response.json([await send(endless()), await send(JSON.stringify({ sql: "SELECT 1" }))]);
} };`,
    },
    { databases: { D1: "large.1" } },
  );
  const { text } = await serving.get("large.base.test");
  const [refused, answered] = JSON.parse(text) as { success?: boolean; error?: string }[];
  assert.match(String(refused?.error), /too large.*SQLITE_TOOBIG/, text);
  assert.ok(answered, text);
});

test("counts what happened in each database since it was last asked, the slowest statements without parameters", async () => {
  const object = fresh();
  await run(object, "CREATE TABLE t (v)");
  await serving.control(D1_CONTROL.stats);
  const slow =
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT count(*), ? FROM c";
  await run(object, "INSERT INTO t VALUES (1), (2)");
  await call(object, slow, "canary-parameter");
  await call(object, "SELECT * FROM nowhere");
  const counted = (await serving.control(D1_CONTROL.stats)).text;
  const { objects: all } = JSON.parse(counted) as D1Stats;
  const { queries, writes, errors, rowsWritten, buckets, size, slowest, milliseconds } = all[object]!;
  assert.deepEqual([queries, writes, errors, rowsWritten], [3, 1, 1, 2]);
  assert.equal(
    buckets.reduce((sum, count) => sum + count),
    2,
  );
  assert.ok(size > 0 && milliseconds >= slowest[0]!.milliseconds);
  assert.equal(slowest[0]!.sql, slow);
  const isTold = (line: string) =>
    line.includes("d1.slow-query") && line.includes("RECURSIVE") && line.includes(object);
  const told = await until(() => serving.stderr.find(isTold), "the slow statement is told");
  for (const text of [told, counted]) assert.ok(!text.includes("canary"), text);
  assert.deepEqual(JSON.parse((await serving.control(D1_CONTROL.stats)).text), { objects: {} });
});

test("counts none of what the platform does for its own sake", async () => {
  const object = fresh();
  const own = { object, statements: [{ sql: "CREATE TABLE n (name)" }], isOwn: true };
  await serving.control(D1_CONTROL.call, own);
  await serving.control(D1_CONTROL.call, { ...own, statements: [{ sql: "SELECT * FROM nowhere" }] });
  await serving.control(D1_CONTROL.stats);
  await serving.control(D1_CONTROL.call, own);
  const notes = [{ sql: "INSERT INTO n VALUES ('0001_t.sql')" }];
  await serving.control(D1_CONTROL.script, { object, sql: "CREATE TABLE t (v)", notes });
  const { objects } = JSON.parse((await serving.control(D1_CONTROL.stats)).text) as D1Stats;
  assert.deepEqual([objects[object]?.queries, objects[object]?.errors], [1, 0]);
});

test("B7: whoever holds a database's stub can send it statements, and none of the agent's calls, whatever key it claims", async () => {
  const claims = [
    undefined,
    "",
    "x".repeat(72),
    "00000000-0000-0000-0000-00000000000000000000-0000-0000-0000-000000000000",
  ];
  await serving.control(D1_CONTROL.call, { object: "holder.1", statements: [{ sql: "SELECT 1" }] });
  await serving.deploy(
    {
      holder: `let stub, fetch;
function capture(shared) {
  if (fetch) return;
  while (!Object.hasOwn(shared, "fetch")) shared = Object.getPrototypeOf(shared);
  fetch = shared.fetch;
  shared.fetch = function (...given) { stub ??= this; return fetch.apply(this, given); };
}
export default { async fetch(request, env, context) {
  capture(context.exports.default);
  await env.D1.prepare("SELECT 1").first();
  const answers = [];
  for (const key of ${JSON.stringify(claims)}) for (const path of ${JSON.stringify(Object.values(D1_CONTROL))}) {
    const headers = key === undefined ? {} : { "x-wrkst-d1-key": key };
    const body = JSON.stringify({ object: "holder.1", objects: ["holder.1"], statements: [{ sql: "SELECT 1" }], sql: "SELECT 1" });
    answers.push((await fetch.call(stub, "http://d1" + path, { method: "POST", headers, body })).status);
  }
  for (const method of ["GET", "PUT"]) answers.push((await fetch.call(stub, "http://d1/query", { method })).status);
  for (const name of ["run", "call", "dump", "query", "ctx", "env"])
    answers.push(await stub[name]().then(() => "done", () => "refused"));
  return Response.json(answers);
} };`,
    },
    { databases: { D1: "holder.1" } },
  );
  const { text } = await serving.get("holder.base.test");
  const answers = JSON.parse(text) as unknown[];
  assert.ok(answers.length > 20 && answers.every((answer) => answer === 404 || answer === "refused"), text);
});
