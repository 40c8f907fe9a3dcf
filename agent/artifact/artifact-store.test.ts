import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openArtifactStore } from "./artifact-store.js";
import { digestOf } from "./identity.js";

const root = await mkdtemp(join(tmpdir(), "wrkst-artifacts-"));
after(() => rm(root, { recursive: true, force: true }));
const newDir = () => mkdtemp(join(root, "store-"));

const bytesOf = (value: string) => Buffer.from(value);
const pathOf = (dir: string, digest: string) => join(dir, digest.slice(7, 9), digest.slice(7));
const module = JSON.stringify(new URL("./artifact-store.js", import.meta.url).href);

async function collect(list: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const item of list) all.push(item);
  return all.sort();
}

test("what was put is read back under the digest of its bytes, also after the store was opened again", async () => {
  const dir = await newDir();
  const digest = await openArtifactStore(dir).put(bytesOf("hello"));
  assert.equal(digest, digestOf(bytesOf("hello")));
  const store = openArtifactStore(dir);
  assert.deepEqual(Buffer.from(await store.get(digest)), bytesOf("hello"));
  assert.equal(await store.has(digest), true);
  assert.equal(existsSync(pathOf(dir, digest)), true);
});

test("putting what is there again does not write it again", async () => {
  const dir = await newDir();
  const store = openArtifactStore(dir);
  const digest = await store.put(bytesOf("hello"));
  const before = await stat(pathOf(dir, digest));
  await store.put(bytesOf("hello"));
  assert.equal((await stat(pathOf(dir, digest))).ino, before.ino);
});

const damages: [string, string][] = [
  ["cut off", "hel"],
  ["changed", "hellO"],
];
for (const [name, damaged] of damages) {
  test(`an artifact that was ${name} on disk is refused, and put right by the next put`, async () => {
    const dir = await newDir();
    const store = openArtifactStore(dir);
    const digest = await store.put(bytesOf("hello"));
    await writeFile(pathOf(dir, digest), damaged);
    await assert.rejects(store.get(digest), { code: "ERR_ARTIFACT_CORRUPT" });
    await store.put(bytesOf("hello"));
    assert.deepEqual(Buffer.from(await store.get(digest)), bytesOf("hello"));
  });
}

test("an artifact that is not there is not found, and deleting it is no error", async () => {
  const store = openArtifactStore(await newDir());
  const digest = digestOf(bytesOf("nothing"));
  assert.equal(await store.has(digest), false);
  await assert.rejects(store.get(digest), { code: "ERR_NOT_FOUND" });
  await store.delete(digest);
});

test("digests that are none are a mistake of the caller, so that no path can leave the store", async () => {
  const store = openArtifactStore(await newDir());
  for (const digest of ["", "sha256:../../etc/passwd", `sha256:${"A".repeat(64)}`, "a".repeat(64)]) {
    for (const call of [store.get, store.has, store.delete]) await assert.rejects(call(digest), TypeError);
  }
});

test("deleted artifacts are gone from the list, and stray files are never in it", async () => {
  const dir = await newDir();
  const store = openArtifactStore(dir);
  const [a, b] = await store.putMany([bytesOf("a"), bytesOf("b")]);
  await writeFile(join(dir, "00", "notes.txt"), "");
  assert.deepEqual(await collect(store.list()), [a, b].sort());
  await store.delete(a!);
  assert.deepEqual(await collect(store.list()), [b]);
});

test("what no version refers to is swept once it is old enough", async () => {
  const dir = await newDir();
  const store = openArtifactStore(dir);
  const [used, orphan, young] = await store.putMany([bytesOf("used"), bytesOf("orphan"), bytesOf("young")]);
  for (const digest of [used!, orphan!]) await utimes(pathOf(dir, digest), 1_000, 1_000);
  assert.equal(await store.sweep(new Set([used!]), Date.now() - 60_000), 1);
  assert.deepEqual(await collect(store.list()), [used!, young!].sort());
});

test("many are kept at once, repetitions among them, in the order they were given", async () => {
  const dir = await newDir();
  const store = openArtifactStore(dir);
  const list = Array.from({ length: 100 }, (_, n) => bytesOf(`artifact ${n % 60}`));
  const digests = await store.putMany(list);
  assert.deepEqual(digests, list.map(digestOf));
  assert.equal((await collect(store.list())).length, 60);
  assert.deepEqual(await readdir(join(dir, ".tmp")), []);
  assert.deepEqual(await store.putMany([]), []);
});

test("the same bytes can be put by many at the same time", async () => {
  const dir = await newDir();
  const store = openArtifactStore(dir);
  const big = Buffer.alloc(1_000_000, "x");
  const puts = Array.from({ length: 20 }, (_, n) => (n % 2 ? store.put(big) : store.putMany([big, bytesOf(`${n}`)])));
  await Promise.all(puts);
  assert.deepEqual(Buffer.from(await store.get(digestOf(big))), big);
  assert.deepEqual(await readdir(join(dir, ".tmp")), []);
});

test("what an interrupted put left is removed when the store is opened", async () => {
  const dir = await newDir();
  await mkdir(join(dir, ".tmp"), { recursive: true });
  await writeFile(join(dir, ".tmp", "left"), "half of");
  const store = openArtifactStore(dir);
  assert.deepEqual(await readdir(join(dir, ".tmp")), []);
  assert.deepEqual(await collect(store.list()), []);
});

test("a process that is killed in the middle of puts leaves whole artifacts only", async () => {
  const dir = await newDir();
  const script = `
    import { openArtifactStore } from ${module};
    const store = openArtifactStore(process.argv[1]);
    for (let n = 0; ; n++) {
      await store.putMany(Array.from({ length: 5 }, (_, m) => Buffer.alloc(200_000, n + "-" + m + " ")));
      process.stdout.write(".");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  for (let seen = 0; seen < 5; seen++) await Promise.race([once(child.stdout, "data"), exited]);
  child.kill("SIGKILL");
  await exited;
  const store = openArtifactStore(dir);
  const kept = await collect(store.list());
  assert.ok(kept.length >= 5);
  for (const digest of kept) await store.get(digest);
});

test("a disk that takes no more is a clear error, and nothing half-written stays", async () => {
  const dir = await newDir();
  openArtifactStore(dir);
  const script = `
    import { openArtifactStore } from ${module};
    const store = openArtifactStore(process.argv[1]);
    const error = await store.putMany([Buffer.from("small"), Buffer.alloc(1_000_000)]).catch((error) => error);
    console.log(JSON.stringify({ code: error.code, message: error.message, hint: error.hint }));
    console.log(await store.put(Buffer.from("small")));`;
  const command = `ulimit -f 64; exec "$0" "$@"`;
  const args = ["-c", command, process.execPath, "--input-type=module", "-e", script, dir];
  const { stdout } = spawnSync("/bin/sh", args, { encoding: "utf8" });
  const [error, digest] = stdout.trim().split("\n");
  const { code, message, hint } = JSON.parse(error!);
  assert.equal(code, "ERR_STORE");
  assert.match(message, /no space left/);
  assert.ok(hint);
  assert.deepEqual(await readdir(join(dir, ".tmp")), []);
  assert.deepEqual(await readFile(pathOf(dir, digest!)), bytesOf("small"));
});

test("a folder that cannot be made is a clear error", async () => {
  const file = join(await newDir(), "file");
  await writeFile(file, "");
  assert.throws(() => openArtifactStore(join(file, "artifacts")), { code: "ERR_STORE" });
});

test("first sync of 1,000 functions (reported)", async (t) => {
  const store = openArtifactStore(await newDir());
  const list = Array.from({ length: 1000 }, (_, n) => Buffer.alloc(3000, `${n} `));
  for (const name of ["1,000 new artifacts", "the same again"]) {
    const start = performance.now();
    await store.putMany(list);
    t.diagnostic(`${name}: ${Math.round(performance.now() - start)} ms`);
  }
});
