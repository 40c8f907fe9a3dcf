import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Snapshot } from "../model.js";
import { openCheckout } from "./checkout.js";
import { openObjects } from "./objects.js";
import { openSnapshotReader } from "./snapshot.js";
import { bareRepository, blob, commit, commitTree, type Files, rawTree, temporaryFolder } from "./test-repository.js";

async function setup(t: TestContext) {
  const root = await temporaryFolder(t);
  const repo = await bareRepository(join(root, "r.git"));
  const objects = openObjects({ gitDir: repo });
  t.after(() => objects.close());
  const reader = openSnapshotReader(objects, { fileSize: 1_000, depth: 64, entries: 10_000 });
  const at = (id: string) => reader.snapshot({ source: "default", branch: "main", commit: id }, "");
  const dir = join(root, "out");
  return {
    root,
    repo,
    dir,
    at,
    checkout: openCheckout(dir),
    push: async (files: Files) => at(await commit(repo, files)),
  };
}

async function files(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();
}

test("writes a snapshot out, and then only what changed", async (t) => {
  const { dir, checkout, push } = await setup(t);
  assert.deepEqual(await checkout.sync(await push({ "a/x.ts": "1", "a/b/y.ts": "2", "c.txt": "3" })), {
    written: 3,
    removed: 0,
  });
  const before = await lstat(join(dir, "c.txt"));
  assert.equal(before.mode & 0o777, 0o644);
  assert.deepEqual(await checkout.sync(await push({ "a/x.ts": "changed", "a/b/y.ts": null })), {
    written: 1,
    removed: 1,
  });
  assert.deepEqual(await files(dir), ["a/x.ts", "c.txt"]);
  assert.equal(await readFile(join(dir, "a/x.ts"), "utf8"), "changed");
  assert.equal((await lstat(join(dir, "c.txt"))).ino, before.ino);
});

test("a file becomes a folder and a folder a file", async (t) => {
  const { dir, checkout, push } = await setup(t);
  await checkout.sync(await push({ a: "file", "b/c": "x" }));
  await checkout.sync(await push({ a: null, "b/c": null, "a/d": "inside", b: "file" }));
  assert.deepEqual(await files(dir), ["a/d", "b"]);
});

test("goes back to an older snapshot and forward again", async (t) => {
  const { dir, checkout, push } = await setup(t);
  const one = await push({ "a/x": "1" });
  const two = await push({ "a/x": "2", "b/y": "1" });
  for (const snapshot of [one, two, one]) await checkout.sync(snapshot);
  assert.deepEqual(await files(dir), ["a/x"]);
  assert.equal(await readFile(join(dir, "a/x"), "utf8"), "1");
});

test("a fresh start clears what an earlier process left", async (t) => {
  const { dir, root, push } = await setup(t);
  await mkdir(dir);
  await writeFile(join(root, "outside"), "kept");
  await symlink(root, join(dir, "a"));
  await writeFile(join(dir, "stale"), "");
  await openCheckout(dir).sync(await push({ "a/outside": "written" }));
  assert.deepEqual(await files(dir), ["a/outside"]);
  assert.equal(await readFile(join(root, "outside"), "utf8"), "kept");
});

test("the installer's link to node_modules survives, the repository's own folder of that name is not written", async (t) => {
  const { dir, root, checkout, push } = await setup(t);
  await checkout.sync(await push({ "a/x": "1", "a/node_modules/evil/index.js": "x", node_modules: "file" }));
  assert.deepEqual(await files(dir), ["a/x"]);
  await symlink(root, join(dir, "a/node_modules"));
  await checkout.sync(await push({ "a/x": "2", "a/node_modules/evil/index.js": "y" }));
  assert.ok((await lstat(join(dir, "a/node_modules"))).isSymbolicLink());
  await checkout.sync(await push({ "a/x": null, "a/node_modules/evil/index.js": null, "b/y": "" }));
  assert.deepEqual(await files(dir), ["b/y"]);
  assert.ok((await lstat(join(root, "r.git"))).isDirectory());
});

test("C1 writes nothing that is refused, and nothing outside its folder", async (t) => {
  const { dir, root, repo, at, checkout } = await setup(t);
  const file = await blob(repo, "x");
  const target = await blob(repo, root);
  const inner = await rawTree(repo, [{ mode: "100644", name: "escaped", id: file }]);
  const tree = await rawTree(repo, [
    { mode: "120000", name: "link", id: target },
    { mode: "40000", name: "link", id: inner },
    { mode: "40000", name: "..", id: inner },
    { mode: "40000", name: ".GIT", id: inner },
    { mode: "100644", name: "../escaped", id: file },
    { mode: "100755", name: "ok", id: file },
    { mode: "160000", name: "module", id: file },
  ]);
  await checkout.sync(await at(await commitTree(repo, tree)));
  assert.deepEqual(await files(dir), ["ok"]);
  assert.equal((await lstat(join(dir, "ok"))).mode & 0o777, 0o644);
  assert.deepEqual((await readdir(root)).sort(), ["out", "r.git"]);
});

test("remembers LFS pointers and files that are too large, until they are gone", async (t) => {
  const { dir, checkout, push } = await setup(t);
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 1\n";
  await checkout.sync(await push({ "a/m.bin": pointer, "a/big": "x".repeat(2_000), "a/x": "" }));
  assert.deepEqual([...checkout.refused].map(([path, { reason }]) => [path, reason]).sort(), [
    ["a/big", "too-large"],
    ["a/m.bin", "lfs"],
  ]);
  await checkout.sync(await push({ "a/x": "1" }));
  assert.equal(checkout.refused.size, 2);
  await checkout.sync(await push({ "a/m.bin": "the real one", "a/big": null }));
  assert.equal(checkout.refused.size, 0);
  assert.deepEqual(await files(dir), ["a/m.bin", "a/x"]);
});

test("continues after a failure with what is still missing", async (t) => {
  const { dir, checkout, push } = await setup(t);
  await checkout.sync(await push({ "a/x": "1", "a/y": "1", "b/z": "1" }));
  const next = await push({ "a/x": "2", "a/y": null, "a/n": "2", "c/z": "2" });
  const failing: Snapshot = {
    ...bound(next),
    read: (path) => (path === "a/n" ? Promise.reject(new Error("away")) : next.read(path)),
  };
  await assert.rejects(checkout.sync(failing), /away/);
  await checkout.sync(next);
  assert.deepEqual(await files(dir), ["a/n", "a/x", "b/z", "c/z"]);
  await checkout.sync(await push({ "a/n": null }));
  assert.deepEqual(await files(dir), ["a/x", "b/z", "c/z"]);
});

test("an aborted sync throws the reason and the next one completes it", async (t) => {
  const { dir, checkout, push } = await setup(t);
  const snapshot = await push({ "a/x": "1", "b/y": "1" });
  await assert.rejects(checkout.sync(snapshot, AbortSignal.abort(new Error("superseded"))), /superseded/);
  const abort = new AbortController();
  const stopping: Snapshot = {
    ...bound(snapshot),
    read(path) {
      abort.abort(new Error("newer"));
      return snapshot.read(path);
    },
  };
  await assert.rejects(checkout.sync(stopping, abort.signal), /newer/);
  await checkout.sync(snapshot);
  assert.deepEqual(await files(dir), ["a/x", "b/y"]);
});

test("a folder that somebody deleted is written anew, what did not change included", async (t) => {
  const { dir, checkout, push } = await setup(t);
  await checkout.sync(await push({ "a/x": "1", c: "3" }));
  await rm(dir, { recursive: true });
  await checkout.sync(await push({ "a/x": "2", "b/y": "2" }));
  assert.deepEqual(await files(dir), ["a/x", "b/y", "c"]);
});

function bound(snapshot: Snapshot): Snapshot {
  return {
    revision: snapshot.revision,
    functionFolders: () => snapshot.functionFolders(),
    treeId: (folder) => snapshot.treeId(folder),
    list: (folder) => snapshot.list(folder),
    refused: (folder) => snapshot.refused(folder),
    read: (path) => snapshot.read(path),
    blobId: (path) => snapshot.blobId(path),
  };
}
