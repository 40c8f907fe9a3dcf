// The command's databases against a real agent: what a pushed function keeps, seen and mended by hand.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openSqlite } from "../agent/sqlite.js";
import { type Cli, createCli } from "./cli.js";
import { createRepository, startAgent, type TestAgent, type TestRepository } from "./harness.js";

let agent: TestAgent;
let cli: Cli;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([startAgent(), createRepository()]);
  cli = await createCli({ WRKST_URL: `http://localhost:${agent.port}`, WRKST_TOKEN: await agent.token() });
});
after(async () => {
  await agent?.stop();
  await Promise.all([cli?.remove(), repository?.remove()]);
});

const NOTES = {
  "notes/wrangler.toml": `name = "notes"
main = "index.ts"
compatibility_date = "2026-11-01"

[[d1_databases]]
binding = "DB"
database_name = "notes-data"
`,
  "notes/index.ts": `export default {
  async fetch(request: Request, env: { DB: D1Database }): Promise<Response> {
    if (request.method === "POST") await env.DB.prepare("INSERT INTO notes (text) VALUES (?)").bind(await request.text()).run();
    return Response.json((await env.DB.prepare("SELECT text FROM notes ORDER BY id").raw()).flat());
  },
};
`,
  "notes/migrations/0001_notes.sql": "CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT);\n",
};
const note = (text: string) => agent.request("notes", "/", { method: "POST", body: text });
const notes = async () => JSON.parse((await agent.request("notes")).text);

async function fine(...args: string[]) {
  const ran = await cli.run(["d1", ...args]);
  assert.equal(ran.code, 0, ran.err);
  return ran;
}

test("shows what a pushed function keeps, and who uses it", async () => {
  await repository.commit(NOTES);
  const pushed = await repository.push(agent);
  assert.ok(pushed.ok, pushed.output);
  await note("one");
  await cli.write(NOTES);
  const shown = await cli.json<{ tables: number; uses: object[]; migrations: { applied: { name: string }[] } }>([
    ...["d1", "info", "notes-data"],
  ]);
  assert.deepEqual(shown.uses, [{ function: "notes", bindings: ["DB"], isOwner: true }]);
  assert.deepEqual(
    shown.migrations.applied.map(({ name }) => name),
    ["0001_notes.sql"],
  );
  assert.match((await fine("execute", "notes-data", "--command", "SELECT * FROM notes")).out, /1 +one/);
});

test("goes back in time while the function serves, and back again", async () => {
  const taken = await cli.json<{ id: string }>(["d1", "backup", "notes-data", "--output", "copy.sqlite"]);
  const copy = openSqlite(join(cli.folder, "copy.sqlite"), { readonly: true });
  assert.equal(copy.prepare("SELECT text FROM notes").pluck().get(), "one");
  await note("two");
  const { before: later } = await cli.json<{ before: { id: string } }>([
    ...["d1", "restore", "notes-data", taken.id, "--yes"],
  ]);
  assert.deepEqual(await notes(), ["one"]);
  await fine("time-travel", "restore", "notes-data", "--bookmark", later.id, "--yes");
  assert.deepEqual(await notes(), ["one", "two"]);
});

test("what is exported is imported elsewhere, whole or not at all", async () => {
  await fine("export", "notes-data", "--output", "notes.sql", "--table", "notes");
  assert.match(await readFile(join(cli.folder, "notes.sql"), "utf8"), /INSERT INTO/);
  await fine("create", "elsewhere");
  await fine("import", "elsewhere", "notes.sql");
  const texts = () =>
    cli.json<{ rows: string[][] }[]>(["d1", "execute", "elsewhere", "--command", "SELECT text FROM notes"]);
  assert.deepEqual((await texts())[0]?.rows, [["one"], ["two"]]);
  await cli.write({ "broken.sql": "DELETE FROM notes;\n\nINSERT INTO nowhere VALUES (1);\n" });
  const broken = await cli.run(["d1", "execute", "elsewhere", "--file", "broken.sql"]);
  assert.equal(broken.code, 1);
  assert.match(broken.err, /nowhere/);
  assert.deepEqual((await texts())[0]?.rows.length, 2);
});

test("a deleted database comes back, with its rows", async () => {
  await fine("delete", "elsewhere", "--yes");
  assert.equal((await cli.run(["d1", "info", "elsewhere"])).code, 1);
  await fine("undelete", "elsewhere");
  assert.match((await fine("execute", "elsewhere", "--command", "SELECT count(*) AS n FROM notes")).out, /^n\n2\n/);
  const bound = await cli.run(["d1", "delete", "notes-data", "--yes"]);
  assert.equal(bound.code, 1);
  assert.match(bound.err, /notes/);
});

test("who did what is told by the events, and no value of a statement is (B8)", async () => {
  const canary = "canary-77aa";
  const { token } = await cli.json<{ token: string }>(["tokens", "create", "hand", "--scopes", "deploy"]);
  const body = JSON.stringify({ sql: "INSERT INTO notes (text) VALUES (?)", params: [canary] });
  const headers = { authorization: `Bearer ${token}` };
  const path = "/api/v1/databases/notes-data/query";
  assert.equal((await agent.request("localhost", path, { method: "POST", body, headers })).status, 200);
  const events = await agent.events();
  for (const kind of ["created", "removed", "restored", "imported", "changed"]) {
    const event = events.find((one) => one.kind === `database.${kind}` && one.actor !== undefined);
    assert.match(event?.actor?.name ?? "", /^admin/, kind);
  }
  assert.ok(!JSON.stringify(events).includes(canary) && !agent.output().includes(canary));
});
