import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { openSqlite } from "../sqlite.js";
import { openCopier } from "./copier.js";
import { newSnapshotId, openSnapshotFiles, sweepHalves } from "./snapshot-files.js";
import { newFolder, readDatabase, startWriter, writeDatabase } from "./testing.js";

const copier = openCopier();
after(() => copier.close());
const DATABASE = "3f2b8c1e-0000-4000-8000-000000000001";
const ID = newSnapshotId(1_000, "0badcafe");

test("ids of snapshots sort by time", () => {
  const ids = [1, 20, 1_700_000_000_000].map((at) => newSnapshotId(at));
  assert.deepEqual([...ids].sort(), ids);
  assert.match(ids[0]!, /^[0-9a-f]{16}-[0-9a-f]{8}$/);
});

test("a snapshot is one whole file with the migrations that were noted, and the live file stays as it is", async (t) => {
  const folder = newFolder(t);
  const live = join(folder, "live.sqlite");
  writeDatabase(
    live,
    `CREATE TABLE t AS SELECT 1 AS x; CREATE TABLE d1_migrations (id, name);
    INSERT INTO d1_migrations VALUES (1, '0001_a.sql'), (2, '0002_b.sql');
    CREATE VIEW mine AS SELECT 'no table' AS name;`,
  );
  const before = readFileSync(live);
  const files = openSnapshotFiles(join(folder, "backups"), copier);
  const taken = await files.take(DATABASE, ID, live, ["d1_migrations", "mine", "not_there"]);
  assert.deepEqual(taken.migrations, ["0001_a.sql", "0002_b.sql"]);
  assert.deepEqual(readdirSync(join(folder, "backups", DATABASE)), [`${ID}.sqlite`]);
  assert.equal(statSync(files.path(DATABASE, ID)).size, taken.size);
  assert.deepEqual(readDatabase(files.path(DATABASE, ID), "SELECT x FROM t"), [1]);
  assert.deepEqual(readFileSync(live), before);
});

test("a busy writer does not make a snapshot begin anew, and what was acknowledged before is in it", async (t) => {
  const folder = newFolder(t);
  const live = join(folder, "live.sqlite");
  const writer = await startWriter(t, live);
  const files = openSnapshotFiles(join(folder, "backups"), copier);
  for (const round of [1, 2, 3]) {
    await writer.past(round * 1000);
    const acknowledged = writer.acknowledged();
    await files.take(DATABASE, newSnapshotId(round, "00000000"), live, []);
    const path = files.path(DATABASE, newSnapshotId(round, "00000000"));
    const [count, last] = [readDatabase(path, "SELECT count(*) FROM t"), readDatabase(path, "SELECT max(n) FROM t")];
    assert.deepEqual(count, last);
    assert.ok(Number(last[0]) >= acknowledged, `acknowledged ${acknowledged}, kept ${last}`);
  }
});

test("a database that nothing was written to has an empty snapshot, which puts nothing in place", async (t) => {
  const folder = newFolder(t);
  const files = openSnapshotFiles(join(folder, "backups"), copier);
  const target = join(folder, "target.sqlite");
  assert.deepEqual(await files.take(DATABASE, ID, join(folder, "none.sqlite"), []), { size: 0, migrations: [] });
  writeDatabase(target, "CREATE TABLE t (x)");
  await files.place(DATABASE, ID, target);
  assert.equal(existsSync(target), false);
});

test("a file that is damaged is refused, and nothing is left of it", async (t) => {
  const folder = newFolder(t);
  const live = join(folder, "live.sqlite");
  writeDatabase(
    live,
    "CREATE TABLE t AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5000) SELECT x, randomblob(100) FROM n; CREATE INDEX i ON t (x);",
  );
  const bytes = readFileSync(live);
  bytes.fill(0xff, 4096 * 8, 4096 * 40);
  writeFileSync(live, bytes);
  const files = openSnapshotFiles(join(folder, "backups"), copier);
  await assert.rejects(files.take(DATABASE, ID, live, []), { code: "ERR_STORE" });
  assert.deepEqual(readdirSync(join(folder, "backups", DATABASE)), []);
  writeFileSync(files.path(DATABASE, ID), bytes);
  const target = join(folder, "target.sqlite");
  await assert.rejects(files.place(DATABASE, ID, target), { code: "ERR_STORE" });
  assert.deepEqual([existsSync(target), existsSync(`${target}.part`)], [false, false]);
});

test("a schema that keeps SQLite busy ends its copy, not the agent", async (t) => {
  const folder = newFolder(t);
  const live = join(folder, "live.sqlite");
  // Checked with every row: some 30 seconds each.
  writeDatabase(
    live,
    "CREATE TABLE t (x, CHECK (x < 2 OR length(hex(zeroblob(400000000))) > 0)); INSERT INTO t VALUES (1); PRAGMA ignore_check_constraints = 1; INSERT INTO t SELECT 3 FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20));",
  );
  const impatient = openCopier({ patience: 500 });
  t.after(() => impatient.close());
  const files = openSnapshotFiles(join(folder, "backups"), impatient);
  await assert.rejects(files.take(DATABASE, ID, live, []), { code: "ERR_STORE" });
  assert.deepEqual(readdirSync(join(folder, "backups", DATABASE)), []);
});

test("what a crash left is removed: halves, and files that nobody knows", async (t) => {
  const folder = newFolder(t);
  const backups = join(folder, "backups");
  mkdirSync(join(backups, DATABASE), { recursive: true });
  for (const name of [`${ID}.sqlite`, `${newSnapshotId(2)}.sqlite`, `${ID}.sqlite.part`, `${ID}.sqlite.part-journal`]) {
    writeFileSync(join(backups, DATABASE, name), "");
  }
  openSnapshotFiles(backups, copier).sweep((database, id) => database === DATABASE && id === ID);
  assert.deepEqual(readdirSync(join(backups, DATABASE)), [`${ID}.sqlite`]);
  writeFileSync(join(folder, "object.sqlite.part"), "");
  writeFileSync(join(folder, "object.sqlite"), "");
  sweepHalves(folder);
  assert.deepEqual(readdirSync(folder).sort(), ["backups", "object.sqlite"]);
});

test("an object may begin with a file that was put in place while others read it already", async (t) => {
  const folder = newFolder(t);
  const live = join(folder, "live.sqlite");
  writeDatabase(live, "CREATE TABLE t AS SELECT 1 AS x");
  const files = openSnapshotFiles(join(folder, "backups"), copier);
  await files.take(DATABASE, ID, live, []);
  const targets = ["placed", "live"].map((name) => join(folder, "objects", `${name}.sqlite`));
  await files.place(DATABASE, ID, targets[0]!);
  await files.placeLive(live, targets[1]!);
  for (const target of targets) {
    const reader = openSqlite(target, { readonly: true });
    reader.exec("BEGIN");
    assert.deepEqual(reader.prepare("SELECT x FROM t").pluck().all(), [1]);
    writeDatabase(target, "INSERT INTO t VALUES (2)");
    reader.close();
    assert.deepEqual(readDatabase(target, "SELECT x FROM t ORDER BY x"), [1, 2]);
  }
});
