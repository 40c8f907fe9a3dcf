// What is in databases with real files and a real registry; the runtime is a few lines that write to the files themselves.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import type { D1Meta } from "../../../runtime/d1/wire.js";
import { objectFile, objectFolder, openCopier, openSnapshotFiles, type SnapshotFiles } from "../../databases/index.js";
import { newFolder, readDatabase, writeDatabase } from "../../databases/testing.js";
import type { Actor, Database } from "../../model.js";
import { openRegistry } from "../../store/index.js";
import { createTurns } from "../turns.js";
import { createDatabases, type DatabasesDeps } from "./index.js";

const copier = openCopier();
after(() => copier.close());

const BY: Actor = { name: "ann", email: null, credential: "api-token:1", address: "127.0.0.1" };
const DAY = 86_400_000;

interface Changes {
  files?: (files: SnapshotFiles) => SnapshotFiles;
  deps?: (deps: DatabasesDeps) => DatabasesDeps;
}

/** A platform in a folder, as often as it is opened; without a runtime, writes are the test's. */
async function open(t: TestContext, dataDir: string, clock: { now: number }, changes: Changes = {}) {
  const registry = openRegistry(join(dataDir, "registry.sqlite"), { now: () => clock.now });
  t.after(() => registry.close());
  const retired: string[] = [];
  const files = openSnapshotFiles(join(dataDir, "backups"), copier);
  const nothing = async () => ({ ok: true as const, results: [] });
  const deps: DatabasesDeps = {
    ...{ dataDir, registry, turns: createTurns(), now: () => clock.now, temporary: join(dataDir, "tmp") },
    files: changes.files?.(files) ?? files,
    publisher: { publish: async () => {} },
    runtime: {
      ...{ call: nothing, script: nothing, pause: async () => {}, hold: async () => "", succeed: async () => {} },
      dump: () => Promise.reject(new Error("nothing is exported")),
      retire: async (objects) => void retired.push(...objects),
    },
    runtimeLife: () => 1,
    wake: () => {},
    activityOf: () => assert.fail(),
    artifacts: { put: () => assert.fail(), get: () => assert.fail() },
    servingVersion: () => undefined,
    ...{ rehearsals: { hold: () => assert.fail() }, imports: { hold: () => assert.fail() }, hangTimeout: 3000 },
    ...{ backupInterval: 5000, retention: 30 * DAY, log: { warn: () => {} } },
  };
  const parts = createDatabases(changes.deps?.(deps) ?? deps);
  parts.collecting.recover();
  return { ...parts, registry, retired, files };
}

const live = (dataDir: string, { id, epoch }: Pick<Database, "id" | "epoch">) => objectFile(dataDir, id, epoch);
const values = (dataDir: string, database: Database) =>
  readDatabase(live(dataDir, database), "SELECT x FROM t ORDER BY x");

/** A database with 1 in it, a snapshot of that, and then 2 as well. */
async function prepared(t: TestContext) {
  const dataDir = newFolder(t);
  const clock = { now: 1_700_000_000_000 };
  const first = await open(t, dataDir, clock);
  const { id } = first.databases.create("main", "orders", BY);
  const of = { account: "main", database: id };
  writeDatabase(live(dataDir, { id, epoch: 1 }), "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
  clock.now += 1000;
  const snapshot = await first.databases.snapshot(of, "request", BY);
  writeDatabase(live(dataDir, { id, epoch: 1 }), "INSERT INTO t VALUES (2)");
  clock.now += 1000;
  return { dataDir, clock, of, snapshot, ...first };
}

test("a restore brings the state back as another object, keeps what was there, and can be taken back", async (t) => {
  const { databases, dataDir, of, snapshot, retired, registry } = await prepared(t);
  const { before } = await databases.restore(of, { snapshot: snapshot.id }, BY);
  const restored = registry.databases.byId(of.database)!;
  assert.deepEqual([restored.epoch, values(dataDir, restored), retired], [2, [1], [`${of.database}.1`]]);
  await databases.restore(of, { snapshot: before.id }, BY);
  assert.deepEqual(values(dataDir, registry.databases.byId(of.database)!), [1, 2]);
});

test("the newest snapshot at or before a time is the bookmark, also right after a restore", async (t) => {
  const { databases, of, snapshot, clock } = await prepared(t);
  assert.equal(databases.bookmark(of, snapshot.at).id, snapshot.id);
  assert.throws(() => databases.bookmark(of, snapshot.at - 1), { code: "ERR_NOT_FOUND" });
  await databases.restore(of, { time: snapshot.at }, BY);
  const now = databases.bookmark(of, clock.now + 10);
  assert.deepEqual(readDatabase(databases.snapshotFile(of, now.id), "SELECT x FROM t"), [1]);
});

test("what was written between the snapshot and the switch is kept too", async (t) => {
  const { dataDir, clock, of, snapshot } = await prepared(t);
  const publish = async () => writeDatabase(live(dataDir, { id: of.database, epoch: 1 }), "INSERT INTO t VALUES (3)");
  const { databases } = await open(t, dataDir, clock, { deps: (deps) => ({ ...deps, publisher: { publish } }) });
  const { before } = await databases.restore(of, { snapshot: snapshot.id }, BY);
  assert.deepEqual(readDatabase(databases.snapshotFile(of, before.id), "SELECT x FROM t"), [1, 2, 3]);
});

const die = () => Promise.reject(new Error("crash"));
/** Where a restore is cut off, and what there is after the next start. */
const steps: [string, Changes, unknown[]][] = [
  ["the snapshot of what was there", { files: (files) => ({ ...files, take: die }) }, [1, 2]],
  [
    "half of the file that is put in place",
    {
      files: (files) => ({
        ...files,
        place: async (_database, _id, target) => {
          writeFileSync(`${target}.part`, "half");
          return die();
        },
      }),
    },
    [1, 2],
  ],
  [
    "the file that is put in place",
    { files: (files) => ({ ...files, place: (database, id, target) => files.place(database, id, target).then(die) }) },
    [1, 2],
  ],
  [
    "the switch of the registry",
    {
      deps: (deps) => {
        const databases = { ...deps.registry.databases, raiseEpoch: () => assert.fail("crash") };
        return { ...deps, registry: { ...deps.registry, databases } };
      },
    },
    [1, 2],
  ],
  ["the publication", { deps: (deps) => ({ ...deps, publisher: { publish: die } }) }, [1]],
  ["the end of the old object", { deps: (deps) => ({ ...deps, runtime: { ...deps.runtime, retire: die } }) }, [1]],
  ["the snapshot of what is restored", { files: (files) => ({ ...files, link: die }) }, [1]],
];

for (const [step, changes, expected] of steps) {
  test(`D2: a crash at ${step} leaves the old state or the new one, no file of what never was, and the way back`, async (t) => {
    const { dataDir, clock, of, snapshot } = await prepared(t);
    const cut = await open(t, dataDir, clock, changes);
    await assert.rejects(cut.databases.restore(of, { snapshot: snapshot.id }, BY), /crash/);
    const again = await open(t, dataDir, clock);
    const database = again.registry.databases.byId(of.database)!;
    assert.deepEqual(values(dataDir, database), expected);
    const next = live(dataDir, { id: of.database, epoch: database.epoch + 1 });
    assert.deepEqual([existsSync(next), existsSync(`${next}.part`)], [false, false]);
    const known = new Set(again.databases.snapshots(of).map(({ id }) => `${id}.sqlite`));
    for (const name of readdirSync(join(dataDir, "backups", of.database))) assert.ok(known.has(name), name);
    await again.collecting.collect();
    const everything = again.databases.snapshots(of).map(({ id }) => again.databases.snapshotFile(of, id));
    const isKept = everything.some((file) => readDatabase(file, "SELECT x FROM t ORDER BY x").length === 2);
    assert.ok(isKept || expected.length === 2, "what was there can be found");
    await again.databases.restore(of, { snapshot: snapshot.id }, BY);
    assert.deepEqual(values(dataDir, again.registry.databases.byId(of.database)!), [1]);
  });
}

test("the clock takes what has changed since its last snapshot, and nothing else", async (t) => {
  const { dataDir, clock, of, scheduling, databases } = await prepared(t);
  databases.create("main", "never-written", BY);
  assert.deepEqual(await scheduling.look(), []);
  clock.now += 5000;
  assert.deepEqual(await scheduling.look(), [of.database]);
  clock.now += 5000;
  assert.deepEqual(await scheduling.look(), []);
  writeDatabase(live(dataDir, { id: of.database, epoch: 1 }), "INSERT INTO t VALUES (3)");
  assert.deepEqual(await scheduling.look(), [of.database]);
  assert.deepEqual(databases.snapshots(of)[0]?.cause, "schedule");
});

test("one database that cannot be copied stops no other, and is told", async (t) => {
  const { dataDir, clock, registry, databases, scheduling, of } = await prepared(t);
  const { id } = databases.create("main", "damaged", BY);
  writeFileSync(live(dataDir, { id, epoch: 1 }), "this is no database at all, and long enough to be one".repeat(99));
  clock.now += 5000;
  assert.deepEqual(await scheduling.look(), [of.database]);
  assert.ok(registry.events({ limit: 10 }).some(({ kind }) => kind === "database.snapshot-failed"));
});

test("snapshots are kept for the retention, the newest one always; what a restore left goes once it is kept", async (t) => {
  const { dataDir, clock, of, databases, collecting, snapshot } = await prepared(t);
  await databases.restore(of, { snapshot: snapshot.id }, BY);
  await collecting.collect();
  assert.equal(existsSync(live(dataDir, { id: of.database, epoch: 1 })), false);
  assert.equal(databases.snapshots(of).length, 3);
  clock.now += 31 * DAY;
  await collecting.collect();
  assert.equal(databases.snapshots(of).length, 1);
  assert.deepEqual(readdirSync(join(dataDir, "backups", of.database)).length, 1);
});

test("a removed database is forgotten with all its files after the retention, not before", async (t) => {
  const { dataDir, clock, of, databases, collecting } = await prepared(t);
  await databases.remove(of, { force: true }, BY);
  await collecting.collect();
  assert.deepEqual(
    databases.removed("main").map(({ name }) => name),
    ["orders"],
  );
  clock.now += 31 * DAY;
  await collecting.collect();
  assert.deepEqual(databases.removed("main"), []);
  assert.deepEqual(readdirSync(objectFolder(dataDir)), []);
  assert.deepEqual(readdirSync(join(dataDir, "backups", of.database)), []);
});

/** A process of copies without the process: SQL goes to their files. */
function importing(t: TestContext, meta: D1Meta) {
  const copies = newFolder(t);
  mkdirSync(objectFolder(copies), { recursive: true });
  const imports: DatabasesDeps["imports"] = {
    hold: (_signal, work) =>
      work({
        folder: copies,
        async script({ object, sql }) {
          writeDatabase(objectFile(copies, object.split(".")[0]!, 1), sql);
          return { kind: "answer", answer: { ok: true, results: [{ columns: [], rows: [], meta }] } };
        },
      }),
  };
  return { copies, imports };
}

test("every event of a database belongs to its account, whoever asked, and is told of the function that owns it", async (t) => {
  const meta = { changed_db: true, rows_written: 1 } as D1Meta;
  const written = async () => ({ ok: true as const, results: [{ columns: [], rows: [], meta }] });
  const dataDir = newFolder(t);
  const { imports } = importing(t, meta);
  const changed = (deps: DatabasesDeps) => ({
    ...{ ...deps, imports },
    runtime: { ...deps.runtime, call: written, script: written },
  });
  const clock = { now: 1_700_000_000_000 };
  const { registry, databases, scheduling } = await open(t, dataDir, clock, { deps: changed });
  const of = { account: "ann", database: databases.create("ann", "orders", BY).id };
  const file = live(dataDir, { id: of.database, epoch: 1 });
  writeDatabase(file, "CREATE TABLE t (x)");
  const { id: snapshot } = await databases.snapshot(of, "request", BY);
  await databases.script(of, "INSERT INTO t VALUES (1)", BY);
  await databases.query(of, [{ sql: "INSERT INTO t VALUES (1)" }], BY);
  const sql = join(dataDir, "import.sql");
  writeFileSync(sql, "INSERT INTO t VALUES (2);");
  await databases.import(of, sql, BY);
  await databases.restore(of, { snapshot }, BY);
  const damaged = databases.create("ann", "damaged", BY);
  writeFileSync(live(dataDir, damaged), "this is no database at all, and long enough to be one".repeat(99));
  clock.now += 5000;
  await scheduling.look();
  await databases.remove(of, { force: false }, BY);
  await databases.undelete(of, BY);
  const events = registry.events({ limit: 100 });
  assert.equal(new Set(events.map(({ kind }) => kind)).size, 7);
  for (const { kind, account } of events) assert.equal(account, "ann", kind);
});

test("what is written while a copy is changed, and a restart of the runtime, make the change begin anew; the last state has it all", async (t) => {
  const { dataDir, clock, of } = await prepared(t);
  const meta = { changed_db: true } as D1Meta;
  const { imports, copies } = importing(t, meta);
  const told: string[] = [];
  let life = 1;
  let ends = 0;
  const hold = async (_object: string, on: boolean) => {
    told.push(on ? "hold" : "ask");
    if (!on) return "first";
    ends++;
    // At the end of the first attempt somebody has written, at the end of the next one the process is another.
    if (ends === 1) writeDatabase(live(dataDir, { id: of.database, epoch: 1 }), "INSERT INTO t VALUES (3)");
    if (ends === 3) life++;
    return "later";
  };
  const succeeded: string[][] = [];
  const { databases, registry } = await open(t, dataDir, clock, {
    deps: (deps) => ({
      ...{ ...deps, imports, runtimeLife: () => life },
      runtime: {
        ...{ ...deps.runtime, hold, succeed: async (object, by) => void succeeded.push([object, by]) },
        call: async () => ({ ok: true, results: [{ columns: ["1"], rows: [[1]], meta }] }),
      },
    }),
  });
  const sql = join(dataDir, "import.sql");
  writeFileSync(sql, "INSERT INTO t VALUES (4);");
  await databases.import(of, sql, BY);
  const database = registry.databases.byId(of.database)!;
  assert.deepEqual(values(dataDir, database), [1, 2, 3, 4]);
  assert.deepEqual(succeeded, [[`${of.database}.1`, `${of.database}.${database.epoch}`]]);
  assert.deepEqual(told, ["ask", "hold", "ask", "hold", "hold", "ask", "hold", "hold"]);
  const left = [2, 3].map((epoch) => existsSync(live(dataDir, { id: of.database, epoch })));
  assert.deepEqual([database.epoch, left, readdirSync(objectFolder(copies))], [4, [false, false], []]);
});
