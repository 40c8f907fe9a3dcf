// What versions that never served have instead of the databases of production, over uploads, aliases, pushes and restarts.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { objectFile } from "../agent/databases/index.js";
import { writeDatabase } from "../agent/databases/testing.js";
import { openSqlite } from "../agent/sqlite.js";
import { openRegistry } from "../agent/store/index.js";
import { ANN, type DirectAgent, MAIN, ref, startDirect } from "./direct.js";
import { createRepository, type TestRepository, until } from "./harness.js";

const run = promisify(execFile);
let direct: DirectAgent;
let repository: TestRepository;
let dataDir: string;

before(async () => {
  dataDir = await realpath(await mkdtemp(join(tmpdir(), "wrkst-previews-")));
  [direct, repository] = await Promise.all([startDirect({ dataDir }), createRepository()]);
});
after(async () => {
  await direct?.stop();
  await Promise.all([repository?.remove(), rm(dataDir, { recursive: true, force: true })]);
});

/** `?add=x` adds a row first; tells the label and the rows, or what a query throws with a 500. */
const codeOf = (label: string) => `export default {
  async fetch(request, env) {
    const add = new URL(request.url).searchParams.get("add");
    try {
      await env.DB.exec("CREATE TABLE IF NOT EXISTS t (x TEXT)");
      if (add) await env.DB.prepare("INSERT INTO t VALUES (?)").bind(add).run();
      const { results } = await env.DB.prepare("SELECT x FROM t ORDER BY rowid").all();
      return new Response("${label}:" + results.map(({ x }) => x).join());
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
`;
const bindings = [{ kind: "d1" as const, name: "DB", databaseName: "shop" }];
const told = async (host: string, path = "/") => (await direct.request(host, path)).text;
const upload = (label: string, alias?: string) =>
  direct.upload("shop", { code: codeOf(label), bindings, ...(alias === undefined ? {} : { alias }) });

/** Files of the version's copies that are on the disk. */
function filesOf(version: string): string[] {
  const db = openSqlite(join(dataDir, "registry.sqlite"), { readonly: true });
  const ids = db.prepare<[string], string>("SELECT id FROM version_copies WHERE version_id = ?").pluck().all(version);
  db.close();
  return ids.map((id) => objectFile(dataDir, String(id), 1)).filter((file) => existsSync(file));
}

test("a version that never served works on a copy of its own, and on production's database once it serves", async () => {
  const one = await direct.upload("shop", { code: codeOf("one"), bindings });
  assert.deepEqual(
    one.created?.map(({ name }) => name),
    ["shop"],
  );
  await direct.deploy("shop", { code: codeOf("one"), bindings });
  await told("shop", "/?add=a");
  const two = await upload("two", "next");
  const host = `${two.id.slice(0, 8)}--shop`;
  assert.equal(await told(host), "two:a");
  assert.equal(await told("shop", "/?add=b"), "one:a,b");
  assert.equal(await told("next--shop", "/?add=mine"), "two:a,mine");
  assert.equal(await told(host), "two:a,mine", "all its addresses lead to one copy");
  assert.equal(await told("shop"), "one:a,b");
  await direct.agent.deploys.deploy(
    ref("shop"),
    { versions: [{ version: two.id, percentage: 100 }], force: false },
    ANN,
  );
  assert.deepEqual([await told("shop"), await told(host), await told("next--shop")], Array(3).fill("two:a,b"));
});

test("the copy of a version that serves goes with its file, those of others stay", async () => {
  const three = await upload("three");
  assert.equal(await told(`${three.id.slice(0, 8)}--shop`, "/?add=3"), "three:a,b,3");
  const four = await upload("four");
  assert.equal(await told(`${four.id.slice(0, 8)}--shop`), "four:a,b");
  const [file, ...others] = filesOf(four.id);
  assert.deepEqual([existsSync(file!), others.length, filesOf(three.id).length], [true, 0, 1]);
  await direct.agent.deploys.deploy(
    ref("shop"),
    { versions: [{ version: four.id, percentage: 100 }], force: false },
    ANN,
  );
  await until("the copy is gone", async () => !existsSync(file!) && !existsSync(`${file}-wal`));
  assert.equal(await told(`${three.id.slice(0, 8)}--shop`), "three:a,b,3");
});

test("an alias that is set on a version gives it copies, and a version that is out of sight has none", async () => {
  const hidden = await direct.upload("hidden", { code: codeOf("hidden"), bindings: [{ kind: "d1", name: "DB" }] });
  await direct.agent.deploys.setSettings(ref("hidden"), { previews: false }, ANN);
  await direct.agent.deploys.setAlias(ref("hidden"), "seen", hidden.id, ANN);
  assert.equal(await told("seen--hidden", "/?add=x"), "hidden:x");
});

test("what git built and a pin holds back works on a copy with its migrations, made beside the push", async () => {
  const wrangler =
    'name = "held"\nmain = "index.js"\ncompatibility_date = "2026-08-01"\n[[d1_databases]]\nbinding = "DB"\n';
  const push = async (label: string, more: Record<string, string> = {}, select = "SELECT x") => {
    const code = codeOf(label).replace("SELECT x", select);
    const commit = await repository.commit({ "held/wrangler.toml": wrangler, "held/index.js": code, ...more });
    const remote = join(direct.dataDir, "git/functions.git");
    await run("git", ["push", "--quiet", "--force", remote, "HEAD:main"], { cwd: repository.dir });
    await direct.sync({ commit });
  };
  await push("one");
  await told("held", "/?add=a");
  const { deploys } = direct.agent;
  await deploys.pin(ref("held"), "latest", { version: deploys.versions(ref("held"))[0]!.id }, ANN);
  await push("two");
  const [newest] = deploys.versions(ref("held"));
  const host = `${newest!.id.slice(0, 8)}--held`;
  await until("the copy is made", async () => (await told(host)) === "two:a");
  assert.equal(await told(host, "/?add=b"), "two:a,b");
  assert.equal(await told("held"), "one:a");
  const migrations = { "held/migrations/0001_more.sql": "ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'new';" };
  await push("three", migrations, "SELECT x || more AS x");
  const [third] = deploys.versions(ref("held"));
  const preview = `${third!.id.slice(0, 8)}--held`;
  await until("the copy is made and migrated", async () => (await told(preview)) === "three:anew");
  assert.equal(await told("held"), "one:a");
});

test("a copy that a crash cut short goes at the next start, and is made again", async () => {
  const five = await upload("five");
  const host = `${five.id.slice(0, 8)}--shop`;
  assert.equal(await told(host, "/?add=5"), "five:a,b,5");
  await direct.stop();
  const registry = openRegistry(join(dataDir, "registry.sqlite"));
  const all = registry.copies.all().filter(({ version }) => version === five.id);
  for (const { id } of all) registry.copies.forget(id);
  const torn = all.map(({ version, database, function: owner }) =>
    registry.copies.begin({ version, database, function: owner }),
  );
  registry.close();
  const files = torn.map(({ id }) => objectFile(dataDir, id, 1));
  for (const file of files) writeDatabase(file, "CREATE TABLE t (torn)");
  direct = await startDirect({ dataDir });
  await until("the version has a copy again", async () => (await told(host)) === "five:a,b");
  assert.deepEqual([files.length, files.filter((file) => existsSync(file))], [2, []]);
  assert.equal(await told("shop"), "four:a,b");
  assert.deepEqual(
    direct.agent.databases
      .list(MAIN)
      .map(({ name }) => name)
      .sort(),
    ["held-db", "hidden-db", "shop"],
  );
});
