// The commands of databases against the real API, with databases in memory.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { serveApi, TOKEN } from "../agent/api/testing.js";
import { openSqlite } from "../agent/sqlite.js";
import { idOf, parseLine, parseScript, type Result, transcript, wrkst } from "./testing.js";

const folder = await mkdtemp(join(tmpdir(), "wrkst-d1-"));
const served = await serveApi();
after(async () => {
  await served.close();
  await rm(folder, { recursive: true, force: true });
});
const { databases } = served;
const FILES = {
  ".git/HEAD": "",
  "greet/wrangler.toml": `name = "greet"
main = "index.ts"
compatibility_date = "2026-11-01"

[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "of-cloudflare"

[[d1_databases]]
binding = "STOCK"
migrations_dir = "sql"
`,
  "greet/index.ts": "export default { fetch: () => new Response('hi') };\n",
  "greet/migrations/0001_a.sql": "CREATE TABLE orders(id INTEGER PRIMARY KEY, what TEXT);\n",
  "greet/migrations/0002_b.sql": "ALTER TABLE orders ADD COLUMN price REAL;\n",
  "greet/migrations/0003_c.sql": "",
  "seed.sql": "INSERT INTO orders (what) VALUES ('tea; black'), (NULL);\n",
  "broken.sql": "INSERT INTO orders (what) VALUES ('x');\nINSERT INTO nothing VALUES (1);\n",
};
for (const [path, content] of Object.entries(FILES)) {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}
const migrations = ["0001_a.sql", "0002_b.sql"].map((name) => {
  return { name, sql: FILES[`greet/migrations/${name}` as keyof typeof FILES] };
});
databases.seed("main", "shop", {
  id: idOf("shop"),
  uses: [{ function: "greet", bindings: ["DB"], isOwner: true }],
  set: { binding: "DB", folder: "greet/migrations", table: "d1_migrations", migrations },
  activity: {
    ...{ since: 0, queries: 1200, writes: 7, errors: 1, rowsRead: 30_000, rowsWritten: 7, milliseconds: 420 },
    buckets: [1100, 90, 8, 0, 0, 0, 0, 1],
    slowest: [{ sql: "SELECT *\nFROM orders", milliseconds: 120, rowsRead: 29_000, at: 0 }],
  },
});
databases.seed("main", "greet-stock", { id: idOf("stock") });

const run = (args: string[], more: { input?: string; at?: string; account?: string } = {}): Promise<Result> =>
  wrkst(args, {
    env: { WRKST_URL: served.url, WRKST_TOKEN: TOKEN, ...(more.account && { WRKST_ACCOUNT: more.account }) },
    folder: join(folder, more.at ?? ""),
    home: folder,
    input: more.input ?? "",
    now: 1_060_000,
  });
/** What differs from run to run. */
const steady = (text: string) =>
  text
    .replaceAll(folder, "/place")
    .replace(/\d+\.\d ms/g, "0.1 ms")
    .replace(/\b[0-9a-f]{16}-[0-9a-f]{8}\b/g, "<snapshot>")
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<id>")
    .replace(/ +$/gm, "");

test("speaks as written in testdata/d1.txt", async () => {
  for (const { command, expected } of parseScript(await readFile("cli/testdata/d1.txt", "utf8"))) {
    const [where, line] = command.startsWith("(greet) ") ? ["greet", command.slice(8)] : ["", command];
    const { args, input, pick } = parseLine(line);
    const said = steady(transcript(await run(args, { input, at: where }), pick));
    assert.equal(said, expected, `$ ${command}`);
  }
});

test("goes back to a snapshot and to a time, and fetches one that is a whole database", async () => {
  const database = databases.seed("main", "travel");
  await run(["d1", "execute", "travel", "--command", "CREATE TABLE t(a)"]);
  const taken = JSON.parse((await run(["d1", "backup", "travel", "--output", "copy.sqlite", "--json"])).out);
  const copy = openSqlite(join(folder, "copy.sqlite"));
  assert.equal(copy.prepare("SELECT name FROM sqlite_schema").pluck().get(), "t");
  const tables = () => database.db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get();
  await run(["d1", "execute", "travel", "--command", "DROP TABLE t"]);
  assert.equal((await run(["d1", "restore", "travel", taken.id])).code, 1);
  assert.equal(tables(), 0);
  assert.equal((await run(["d1", "restore", "travel", taken.id, "--yes"])).code, 0);
  assert.equal(tables(), 1);
  const info = await run(["d1", "time-travel", "info", "travel", "--timestamp", "1000", "--json"]);
  assert.equal(info.code, 2);
  const at = await run(["d1", "time-travel", "restore", "travel", "--timestamp", "1970-01-01T00:17:00Z", "--yes"]);
  assert.equal(at.code, 0, at.err);
});

test("a download that breaks leaves no file", async () => {
  databases.seed("main", "broken-off");
  const answer = await run(["d1", "export", "nowhere", "--output", "none.sql"]);
  assert.equal(answer.code, 1);
  const left = (await readdir(folder)).filter((name) => name.includes("none"));
  assert.deepEqual(left, []);
});

test("writes migrations where the wrangler file says, numbered as wrangler does", async () => {
  const make = (database: string, message: string) =>
    run(["d1", "migrations", "create", database, message], { at: "greet" });
  assert.equal((await make("shop", "add prices")).out, `${join(folder, "greet/migrations/0004_add_prices.sql")}\n`);
  const first = (await make("STOCK", "first")).out.trim();
  assert.equal(first, join(folder, "greet/sql/0001_first.sql"));
  assert.equal(await readFile(first, "utf8"), "-- Migration number: 0001 \t 1970-01-01T00:17:40.000Z\n");
  assert.equal((await make("shop", "../../x")).code, 2);
  assert.equal((await make("unknown", "x")).code, 1);
  assert.equal((await run(["d1", "migrations", "create", "shop", "x"])).code, 1);
});

test("acts on the account that is named", async () => {
  databases.seed("other", "abroad");
  assert.equal((await run(["d1", "info", "abroad"])).code, 1);
  assert.match((await run(["d1", "info", "abroad"], { account: "other" })).out, /account +other/);
  assert.equal((await run(["d1", "list", "--account", "nowhere"])).code, 1);
});
