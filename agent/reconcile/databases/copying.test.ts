// Copies for previews with real files and a real registry; the runtime is a switch that works or does not.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { objectFile, openCopier, openSnapshotFiles } from "../../databases/index.js";
import { newFolder, readDatabase, writeDatabase } from "../../databases/testing.js";
import { WrkstError } from "../../errors.js";
import type { Actor, Warning } from "../../model.js";
import { openRegistry, type PreviewRecord, previewHolder } from "../../store/index.js";
import { manifestOf, version } from "../../store/test-registry.js";
import { createTurns } from "../turns.js";
import { ContentContext, type ContentDeps } from "./content-context.js";
import { createCopying } from "./copying.js";

const copier = openCopier();
after(() => copier.close());

const BY: Actor = { name: "ann", email: null, credential: "api-token:1", address: "127.0.0.1" };
const DAY = 86_400_000;
const MIB = 2 ** 20;

function open(t: TestContext) {
  const dataDir = newFolder(t);
  const clock = { now: 1_700_000_000_000 };
  const registry = openRegistry(join(dataDir, "registry.sqlite"), { now: () => clock.now });
  t.after(() => registry.close());
  const runtime = { isUp: true, retired: [] as string[] };
  const nothing = () => assert.fail();
  const deps: ContentDeps = {
    ...{ dataDir, registry, turns: createTurns(), now: () => clock.now, temporary: join(dataDir, "tmp") },
    files: openSnapshotFiles(join(dataDir, "backups"), copier),
    publisher: { publish: async () => {} },
    runtime: {
      ...{ call: nothing, script: nothing, dump: nothing, pause: nothing, hold: nothing, succeed: nothing },
      async retire(objects) {
        if (!runtime.isUp) throw new Error("the runtime is down");
        runtime.retired.push(...objects);
      },
    },
    runtimeLife: () => 1,
    wake: () => {},
    expect: ({ database }) => registry.databases.byId(database)!,
  };
  const migrating = { to: async (_file: string, _target: string): Promise<boolean> => false };
  const copying = createCopying(new ContentContext(deps), {
    log: { warn: () => {} },
    applied: { appliedIn: nothing, appliedNames: nothing },
    migrateFile: nothing,
    migrating: ({ from, target }) => migrating.to(from ?? "", target),
    mostInAll: MIB,
  });
  const upload = (label: string) => {
    const manifest = manifestOf("shop", { d1Databases: [{ binding: "DB", databaseName: "orders" }] });
    const origin = { number: 0, kind: "upload" as const, author: "ann", client: "test", secrets: [] };
    const made = version("shop", label, { manifest, upload: origin });
    const names = { account: "main", name: "shop", create: "f1", cause: "api" as const, by: BY };
    return registry.applyDirect({ ...names, version: { version: made, secrets: {} }, events: [] }).functionId;
  };
  const functionId = upload("1");
  const orders = registry.databases.byName("main", "orders")!;
  const live = objectFile(dataDir, orders.id, 1);
  const copiesOf = (label: string) =>
    registry.copies
      .all()
      .filter((copy) => copy.version === `shop@${label}` && copy.database === orders.id)
      .map(({ id, state }) => ({ state, file: objectFile(dataDir, id, 1) }));
  return { migrating, registry, runtime, copying, upload, functionId, live, copiesOf, clock };
}

test("a copy holds what was there when it was made, and whoever asks twice gets one", async (t) => {
  const { copying, functionId, live, copiesOf } = open(t);
  writeDatabase(live, "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
  const asked = [copying.make(functionId, ["shop@1"]), copying.make(functionId, ["shop@1"]), copying.tend()];
  assert.deepEqual(await Promise.all(asked), [[], [], undefined]);
  writeDatabase(live, "INSERT INTO t VALUES (2)");
  await copying.tend();
  const [copy, ...others] = copiesOf("1");
  assert.deepEqual([readDatabase(copy!.file, "SELECT x FROM t"), others], [[1], []]);
});

test("a database above 256 MiB is copied empty, which is said", async (t) => {
  const { copying, functionId, live, copiesOf, registry } = open(t);
  mkdirSync(dirname(live), { recursive: true });
  writeFileSync(live, "");
  truncateSync(live, 256 * MIB + 1);
  const [warning] = await copying.make(functionId, ["shop@1"]);
  assert.match(warning?.message ?? "", /"orders" is larger than 256 MiB/);
  const [copy] = copiesOf("1");
  assert.deepEqual([copy?.state, existsSync(copy!.file)], ["ready", false]);
  assert.equal(registry.events({ limit: 1 })[0]?.kind, "database.not-copied");
});

test("all copies together are bounded: the oldest go first, and none is made anew by itself", async (t) => {
  const { copying, functionId, live, copiesOf, upload, clock } = open(t);
  writeDatabase(live, `CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(${0.4 * MIB}))`);
  for (const label of ["1", "2", "3"]) {
    if (label !== "1") upload(label);
    clock.now += 1;
    await copying.make(functionId, [`shop@${label}`]);
  }
  await copying.tend();
  await copying.tend();
  const kept = ["1", "2", "3"].map((label) => copiesOf(label).filter(({ file }) => existsSync(file)).length);
  assert.deepEqual(kept, [0, 1, 1]);
});

test("who has a preview is told that its data went, and what brings it back: the next push, or whoever asks again", async (t) => {
  const { copying, registry, live, upload, functionId, clock } = open(t);
  writeDatabase(live, `CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(${0.6 * MIB}))`);
  const key = registry.databases.byName("main", "orders")!.id;
  const { previews } = registry;
  const make = async ({ id, commit, label }: PreviewRecord, warnings: Warning[] = []) => {
    clock.now += 1;
    const work = { wanted: [{ key, brought: [] }], unknown: new Set<string>(), signal: AbortSignal.timeout(60_000) };
    await copying.makeForPreview(id, work);
    const shop = { name: "shop", folder: "shop", version: "shop@1", bindings: { DB: key }, hasSecrets: false };
    const made = { made: [], builds: [], events: [], versions: { shop: "shop@1" }, functions: [shop], warnings };
    previews.record({ id, commit, label, handled: "handled", account: "main", ...made });
  };
  const askedFor = { source: "default", commit: "c".repeat(40), function: "shop" };
  const branch = previews.open({ source: "default", branch: "x", commit: "b".repeat(40), label: "x" });
  const asked = previews.ask(askedFor, []);
  await make(branch);
  await make(asked);
  assert.equal(previews.ask(askedFor, []).handled, "handled", "it is whole");
  upload("2");
  clock.now += 1;
  await copying.make(functionId, ["shop@2"]);
  await copying.tend();
  const told = registry.events({ limit: 10 }).filter(({ kind }) => kind === "preview.data-removed");
  const lost = "the data of the preview was removed, since all copies together are bounded to 1 MiB";
  const [ofBranch, ofCommit] = [
    `${lost}: the next push to the branch makes it anew`,
    `${lost}: ask for the commit again, and it is made anew`,
  ];
  assert.deepEqual(told.map(({ message }) => message).sort(), [
    `"shop" at the commit cccccccccccc: ${ofCommit}`,
    `the branch "x": ${ofBranch}`,
  ]);
  const warningsOf = ({ id }: PreviewRecord) => previews.byId(id)!.warnings.map(({ message }) => message);
  assert.deepEqual([warningsOf(branch), warningsOf(asked)], [[ofBranch], [ofCommit]]);
  for (const one of [branch, asked]) {
    if (one === asked) assert.equal(previews.ask(askedFor, []).handled, "", "it is to be made");
    await make(one);
    const own = registry.copies.all().filter(({ version }) => version === previewHolder(one.id));
    assert.deepEqual([own.map(({ state }) => state), warningsOf(one)], [["ready"], []]);
    await copying.tend();
  }
});

test("a copy gets the migrations that its version brings, or is made without them, which is said", async (t) => {
  const { copying, functionId, live, copiesOf, migrating } = open(t);
  writeDatabase(live, "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
  migrating.to = async () => {
    throw new WrkstError("ERR_MIGRATION", "no such table", { position: { file: "m/2.sql", line: 1 } });
  };
  const [warning] = await copying.make(functionId, ["shop@1"]);
  assert.match(warning?.message ?? "", /without its new migrations: m\/2\.sql:1: no such table/);
  assert.deepEqual(readDatabase(copiesOf("1")[0]!.file, "SELECT x FROM t"), [1]);
});

test("a copy that fails leaves nothing, is said, and is tried again", async (t) => {
  const { copying, functionId, live, copiesOf, registry } = open(t);
  mkdirSync(dirname(live), { recursive: true });
  writeFileSync(live, "no database at all, but long enough to be taken for one".repeat(100));
  const [warning] = await copying.make(functionId, ["shop@1"]);
  assert.match(warning?.message ?? "", /no copies of its databases: .*could not be copied/);
  assert.deepEqual([copiesOf("1"), registry.copies.all()], [[], []]);
  writeFileSync(live, "");
  await copying.tend();
  assert.deepEqual(
    copiesOf("1").map(({ state }) => state),
    ["ready"],
  );
});

test("copies of a version that is gone or out of the ten go, once the runtime has let go of them", async (t) => {
  const { copying, functionId, live, copiesOf, runtime, upload, registry, clock } = open(t);
  writeDatabase(live, "CREATE TABLE t (x)");
  await copying.make(functionId, ["shop@1"]);
  const { file } = copiesOf("1")[0]!;
  for (let label = 2; label <= 11; label++) upload(String(label));
  runtime.isUp = false;
  await copying.tend();
  assert.deepEqual([copiesOf("1")[0]?.state, existsSync(file)], ["leaving", true]);
  const versions = registry.routeState().functions[0]!.versions;
  assert.deepEqual(
    versions.filter(({ copies }) => Object.keys(copies).length === 0).map(({ id }) => id),
    ["shop@1"],
  );
  runtime.isUp = true;
  await copying.tend();
  assert.deepEqual([copiesOf("1"), existsSync(file), runtime.retired.length], [[], false, 2]);
  clock.now += 40 * DAY;
  registry.removeExpired(clock.now, DAY);
  await copying.tend();
  assert.deepEqual(registry.copies.all(), []);
});

test("what is noted and not whole is nobody's after a crash", (t) => {
  const { copying, registry, functionId, live, copiesOf } = open(t);
  const database = registry.databases.byName("main", "orders")!.id;
  registry.copies.begin({ version: "shop@1", database, function: functionId });
  const { file } = copiesOf("1")[0]!;
  writeDatabase(file, "CREATE TABLE torn (x)");
  assert.deepEqual(registry.routeState().functions[0]?.versions[0]?.copies, {});
  copying.recover();
  assert.deepEqual([copiesOf("1"), existsSync(file), existsSync(live)], [[], false, false]);
});
