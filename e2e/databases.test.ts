// What is in databases through real pushes: migrations with the commit, snapshots, restore.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DatabaseSnapshot, MigrationState } from "../agent/model.js";
import { createRepository, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";

let agent: TestAgent;
let repository: TestRepository;
let dataDir: string;

const start = () => startAgent({ dataDir, env: { D1_BACKUP_INTERVAL: "1s" } });

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-databases-"));
  [agent, repository] = await Promise.all([start(), createRepository()]);
});
after(async () => {
  await agent?.stop();
  await Promise.all([repository?.remove(), rm(dataDir, { recursive: true, force: true })]);
});

const WRANGLER = `name = "notes"
main = "index.js"
compatibility_date = "2026-08-01"
[[d1_databases]]
binding = "DB"
database_name = "notes"
`;
const code = (version: string) => `export default { async fetch(request, env) {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/version") return new Response(${JSON.stringify(version)});
  try {
    if (pathname === "/add") {
      await env.DB.prepare("INSERT INTO notes (text) VALUES (?)").bind(searchParams.get("text")).run();
      return new Response("added");
    }
    const { results } = await env.DB.prepare("SELECT text FROM notes ORDER BY id").all();
    return new Response(results.map((row) => row.text).join());
  } catch (error) { return new Response(error.message, { status: 500 }); }
} };
`;
const FIRST = "-- the first one\nCREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);\n";

const served = async (path: string) => (await agent.request("notes", path)).text;
const DB = "/api/v1/databases/notes";
const post = <T>(path: string, body?: unknown) =>
  agent.api<T>(`${DB}${path}`, {
    method: "POST",
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
const migrations = () => agent.api<MigrationState>(`${DB}/migrations`);
type Shown = Omit<DatabaseSnapshot, "at"> & { at: string };
const snapshots = async () => (await agent.api<{ snapshots: Shown[] }>(`${DB}/snapshots`)).snapshots;
const push = async (files: Record<string, string | null>) => {
  await repository.commit(files);
  return (await repository.push(agent)).output;
};

test("a push with migrations applies them before the version serves, says so, and notes them as wrangler does", async () => {
  const output = await push({
    "notes/wrangler.toml": WRANGLER,
    "notes/index.js": code("1"),
    "notes/migrations/0001_notes.sql": FIRST,
    "notes/migrations/0002_only_words.sql": "-- nothing to do\n",
  });
  assert.match(output, /created empty database "notes"/);
  assert.match(output, /migrated\s+notes\s+"notes": 0001_notes\.sql, 0002_only_words\.sql/);
  assert.equal(await served("/add?text=a"), "added");
  assert.equal(await served("/"), "a");
  const { applied, pending } = await migrations();
  assert.deepEqual([applied.map(({ name }) => name), pending], [["0001_notes.sql", "0002_only_words.sql"], []]);
  const { results } = await post<{ results: { rows: unknown[][] }[] }>("/query", {
    sql: "SELECT id, name FROM d1_migrations ORDER BY id",
  });
  assert.deepEqual(results[0]?.rows, [
    [1, "0001_notes.sql"],
    [2, "0002_only_words.sql"],
  ]);
  const event = (await agent.events()).find(({ kind }) => kind === "database.migrated");
  assert.match(event?.message ?? "", /0001_notes\.sql/);
});

test("a commit that changes only SQL is applied and said, with a snapshot of what was there", async () => {
  const version = (await agent.functionStatus("notes")).version;
  const output = await push({ "notes/migrations/0003_more.sql": "ALTER TABLE notes ADD COLUMN more TEXT;" });
  assert.match(output, /migrated\s+notes\s+"notes": 0003_more\.sql\s+snapshot before: [0-9a-f]{16}-[0-9a-f]{8}/);
  assert.match(output, /1 migrated/);
  assert.equal((await agent.functionStatus("notes")).version, version);
  const last = (await snapshots()).find(({ cause }) => cause === "migration");
  assert.deepEqual(last?.migrations, ["0001_notes.sql", "0002_only_words.sql"]);
});

test("a version that is refused after its migrations leaves the one before on the new schema, which is said with the way back", async () => {
  const health = `${WRANGLER}[wrkst]\nhealth = "/broken"\n`;
  const output = await push({
    "notes/wrangler.toml": health,
    "notes/index.js": code("sick").replace("try {", 'if (pathname === "/broken") throw new Error("sick");\n  try {'),
    "notes/migrations/0004_early.sql": "CREATE TABLE early (x);",
  });
  assert.match(output, /failed\s+notes\s+the health path.*; "notes" has 0004_early\.sql, though the version/);
  const [, snapshot] = /hint: .*wrkst d1 restore notes (\S+)/.exec(output) ?? [];
  assert.ok((await agent.events()).some(({ kind }) => kind === "database.newer-than-code"));
  await post("/restore", { snapshot });
  assert.equal((await migrations()).applied.length, 3);
  await push({
    "notes/wrangler.toml": WRANGLER,
    "notes/index.js": code("1"),
    "notes/migrations/0004_early.sql": null,
  });
  assert.deepEqual([await served("/version"), await served("/")], ["1", "a"]);
});

test("a migration that fails is named with file and line, leaves the database as it was before all of the push, and the old version serving", async () => {
  const output = await push({
    "notes/index.js": code("2"),
    "notes/migrations/0004_fine.sql": "CREATE TABLE fine (x);",
    "notes/migrations/0005_bad.sql": "CREATE TABLE half (x);\n\n-- here\nINSERT INTO nowhere VALUES (1);\n",
    "other/wrangler.toml": 'name = "other"\nmain = "index.js"\ncompatibility_date = "2026-08-01"\n',
    "other/index.js": 'export default { fetch: () => new Response("other") };',
  });
  assert.match(output, /failed\s+notes\s+notes\/migrations\/0005_bad\.sql:4:1: .*no such table: nowhere/);
  assert.deepEqual([await served("/version"), await served("/")], ["1", "a"]);
  assert.equal((await agent.request("other")).text, "other");
  const { error, state } = await agent.functionStatus("notes");
  assert.deepEqual([state, error?.code], ["failed", "ERR_MIGRATION"]);
  const { results } = await post<{ results: { rows: unknown[][] }[] }>("/query", {
    sql: "SELECT name FROM sqlite_schema WHERE name IN ('fine', 'half')",
  });
  assert.deepEqual(results[0]?.rows, []);
  const mended = await push({ "notes/migrations/0005_bad.sql": "CREATE TABLE half (x);" });
  assert.match(mended, /migrated\s+notes\s+"notes": 0004_fine\.sql, 0005_bad\.sql/);
  assert.equal(await served("/version"), "2");
});

test("a file that changes after it was applied is a warning, and changes nothing", async () => {
  const output = await push({ "notes/migrations/0001_notes.sql": `${FIRST}-- and a word more\n` });
  assert.match(output, /warning\s+notes\s+notes\/migrations\/0001_notes\.sql: .*has changed since it was applied/);
  assert.equal(await served("/"), "a");
});

test("what was acknowledged before a snapshot comes back with it, and what was there before the restore too", async () => {
  await served("/add?text=b");
  const kept = await post<Shown>("/snapshots");
  await served("/add?text=c");
  assert.equal(await served("/"), "a,b,c");
  const { before } = await post<{ before: Shown }>("/restore", { snapshot: kept.id });
  assert.equal(await served("/"), "a,b");
  await served("/add?text=d");
  assert.equal(await served("/"), "a,b,d");
  await post("/restore", { snapshot: before.id });
  assert.equal(await served("/"), "a,b,c");
  assert.ok((await agent.events()).some(({ kind }) => kind === "database.restored"));
});

test("a database that changed has a snapshot by the clock", async () => {
  await served("/add?text=e");
  await until("a snapshot by the clock", async () => (await snapshots())[0]?.cause === "schedule");
});

test("a file of SQL is imported whole or not at all, and exported again", async () => {
  const send = (sql: string) =>
    agent.request("localhost", `${DB}/import`, {
      method: "POST",
      headers: { authorization: `Bearer ${bearer}`, "content-type": "application/sql" },
      body: sql,
    });
  const bearer = await agent.token();
  const bad = await send("INSERT INTO notes (text) VALUES ('x');\nINSERT INTO nowhere VALUES (1);\n");
  assert.equal(bad.status, 400, bad.text);
  assert.match(bad.text, /no such table: nowhere.*line 2/);
  assert.equal(await served("/"), "a,b,c,e");
  const good = await send("INSERT INTO notes (text) VALUES ('f');\nINSERT INTO notes (text) VALUES ('g;');");
  assert.equal(good.status, 200, good.text);
  assert.equal((JSON.parse(good.text) as { queries: number }).queries, 2);
  assert.equal(await served("/"), "a,b,c,e,f,g;");
  const exported = await agent.request("localhost", `${DB}/export`, { headers: { authorization: `Bearer ${bearer}` } });
  assert.match(exported.text, /INSERT INTO "?notes"?.*'g;'/);
});

test("a large file is imported whole or not at all as well, also where a row refers to one that comes megabytes later", async () => {
  const authorization = `Bearer ${await agent.token()}`;
  const row = `INSERT INTO notes (text, more) VALUES ('-', '${"x".repeat(4000)}');\n`;
  const send = (last: string, first = "") =>
    agent.request("localhost", `${DB}/import`, {
      method: "POST",
      headers: { authorization, "content-type": "application/sql" },
      body: first + row.repeat(1200) + last,
    });
  const bad = await send("INSERT INTO nowhere VALUES (1);\n");
  assert.equal(bad.status, 400, bad.text);
  assert.match(bad.text, /no such table: nowhere.*line 1201/);
  assert.equal(await served("/add?text=h"), "added");
  assert.equal(await served("/"), "a,b,c,e,f,g;,h");
  const child = `PRAGMA defer_foreign_keys = TRUE;
CREATE TABLE parents (id INTEGER PRIMARY KEY); CREATE TABLE children (parent REFERENCES parents (id));
INSERT INTO children VALUES (7);
`;
  const orphan = await send("INSERT INTO parents VALUES (8);", child);
  assert.equal(orphan.status, 400, orphan.text);
  assert.match(orphan.text, /FOREIGN KEY/);
  const end = "DELETE FROM notes WHERE text = '-'; INSERT INTO parents VALUES (7);";
  const good = await send(end, child);
  assert.equal(good.status, 200, good.text);
  assert.equal((JSON.parse(good.text) as { queries: number }).queries, 1206);
  assert.equal(await served("/"), "a,b,c,e,f,g;,h");
});

test("going back to code that is older than its database warns, and names the snapshot from before", async () => {
  const answer = await agent.api<{ warnings?: { message: string }[] }>("/api/v1/functions/notes/rollback", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const [, id] =
    /0004_fine\.sql, 0005_bad\.sql.*wrkst d1 restore notes (\S+)/.exec(answer.warnings?.[0]?.message ?? "") ?? [];
  const named = (await snapshots()).find((snapshot) => snapshot.id === id);
  assert.deepEqual(named?.migrations, ["0001_notes.sql", "0002_only_words.sql", "0003_more.sql"]);
  assert.equal(await served("/version"), "1");
});

test("an agent that was killed finds all that was acknowledged, and no file of what never was", async () => {
  await served("/add?text=i");
  const before = await snapshots();
  await agent.kill();
  agent = await start();
  assert.equal(await served("/"), "a,b,c,e,f,g;,h,i");
  const ids = new Set((await snapshots()).map(({ id }) => id));
  assert.ok(before.every(({ id }) => ids.has(id)));
  const folders = await readdir(join(dataDir, "backups"));
  assert.equal(folders.length, 1);
});

test("migrations that a hold kept waiting are applied before the version that needs them serves", async () => {
  const held = WRANGLER.replaceAll("notes", "held");
  await push({ "held/wrangler.toml": held, "held/index.js": code("1"), "held/migrations/0001.sql": FIRST });
  const suspend = { reason: "a fair" };
  const headers = { "content-type": "application/json" };
  const ask = (path: string, body?: unknown) =>
    agent.api(`/api/v1/functions/held/${path}`, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  await ask("suspend", suspend);
  const output = await push({ "held/index.js": code("2"), "held/migrations/0002.sql": "CREATE TABLE later (x);" });
  assert.match(output, /held\s+held\s+.*suspension/);
  const applied = async () => {
    const state = await agent.api<MigrationState>("/api/v1/databases/held/migrations");
    return state.applied.map(({ name }) => name);
  };
  assert.deepEqual(await applied(), ["0001.sql"]);
  await agent.api("/api/v1/functions/held/resume", { method: "POST" });
  await until("the new version serves", async () => (await agent.request("held", "/version")).text === "2");
  assert.deepEqual(await applied(), ["0001.sql", "0002.sql"]);
});

test("a pin in the repository brings the migrations of its own commit before that serves, and later ones wait for its end", async () => {
  const files = (version: string, pin?: string) => ({
    "dated/wrangler.toml": `${WRANGLER.replaceAll("notes", "dated")}${pin ? `[wrkst]\npin = { latest = "${pin}" }\n` : ""}`,
    "dated/index.js": code(version),
  });
  const migration = (number: number, sql: string) => ({ [`dated/migrations/000${number}.sql`]: sql });
  const state = async () => {
    const { applied } = await agent.api<MigrationState>("/api/v1/databases/dated/migrations");
    return [(await agent.request("dated", "/version")).text, applied.map(({ name }) => name[3]).join("")];
  };
  /** Both commits at once; the first one has the tag. */
  const pushBehind = async (tag: string, tagged: Record<string, string>, newest: Record<string, string>) => {
    await repository.commit(tagged);
    await repository.git("tag", tag);
    await repository.commit(newest);
    return (await repository.push(agent, "HEAD:main", tag)).output;
  };
  await push({ ...files("1"), ...migration(1, FIRST) });
  const second = { ...files("2"), ...migration(2, "CREATE TABLE second (x);") };
  const third = { ...files("3", "dated-2"), ...migration(3, "CREATE TABLE third (x);") };
  const pinned = await pushBehind("dated-2", second, third);
  assert.deepEqual(await state(), ["2", "12"], pinned);
  assert.match(pinned, /migrated +dated +"dated": 0002\.sql/);

  const broken = { ...files("4"), ...migration(4, "CREATE TABLE second (x);") };
  const failed = await pushBehind("dated-4", broken, files("5", "dated-4"));
  assert.match(failed, /failed +dated +dated\/wrangler\.toml:8:\d+: .*dated\/migrations\/0004\.sql:1/);
  assert.deepEqual(await state(), ["2", "12"]);

  await push({ ...files("6"), "dated/migrations/0004.sql": null });
  assert.deepEqual(await state(), ["6", "123"], "what waited came with the end of the pin");

  const hold = (method: string) =>
    agent.request("localhost", "/api/v1/functions/dated/pins/latest", {
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...{ method, ...(method === "PUT" ? { body: JSON.stringify({ version: "latest", reason: "a fair" }) } : {}) },
    });
  const token = await agent.token();
  assert.equal((await hold("PUT")).status, 200);
  const seventh = { ...files("7"), ...migration(4, "CREATE TABLE fourth (x);") };
  await pushBehind("dated-7", seventh, { ...files("8", "dated-7"), ...migration(5, "CREATE TABLE fifth (x);") });
  assert.deepEqual(await state(), ["6", "123"], "a person's hold keeps both back");
  assert.equal((await hold("DELETE")).status, 204);
  await until("what the repository pins serves", async () => (await state())[0] === "7");
  assert.deepEqual(await state(), ["7", "1234"]);
});
