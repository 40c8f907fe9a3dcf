import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openObjects } from "./objects.js";
import { openSnapshotReader, type SnapshotLimits } from "./snapshot.js";
import {
  bareRepository,
  blob,
  commit,
  commitTree,
  type RawEntry,
  rawTree,
  temporaryFolder,
} from "./test-repository.js";

async function repository(t: TestContext, limits?: SnapshotLimits) {
  const dir = await bareRepository(join(await temporaryFolder(t), "r.git"));
  const objects = openObjects({ gitDir: dir });
  t.after(() => objects.close());
  const reader = openSnapshotReader(objects, limits);
  const snapshot = (id: string, root = "") => reader.snapshot({ source: "default", branch: "main", commit: id }, root);
  return { dir, snapshot };
}

const CONFIG = 'name = "a"\n';

test("finds the folders with a wrangler file, at any depth, without node_modules", async (t) => {
  const { dir, snapshot } = await repository(t);
  const id = await commit(dir, {
    "wrangler.toml": CONFIG,
    "b/wrangler.jsonc": "{}",
    "b/node_modules/x/wrangler.toml": CONFIG,
    "a/c/d/wrangler.json": "{}",
    "e/README.md": "x",
  });
  assert.deepEqual(await (await snapshot(id)).functionFolders(), ["", "a/c/d", "b"]);
  assert.deepEqual(await (await snapshot(id, "a/c")).functionFolders(), ["d"]);
  assert.deepEqual(await (await snapshot(id, "not/there")).functionFolders(), []);
});

test("reads files, lists folders and names their ids", async (t) => {
  const { dir, snapshot } = await repository(t);
  const content = Buffer.from([0, 255, 10, 13, 0]);
  const revision = await snapshot(await commit(dir, { "a/b.bin": content, "a/empty": "", "a.txt": "x", "a-b/x": "y" }));
  assert.deepEqual(Buffer.from((await revision.read("a/b.bin"))!), content);
  assert.equal((await revision.read("a/empty"))?.length, 0);
  for (const path of ["a", "a/none", "none/x", "", "a/b.bin/x", "a//b.bin"])
    assert.equal(await revision.read(path), undefined, path);
  assert.equal(await revision.blobId("a.txt"), await blob(dir, "x"));
  assert.equal(await revision.blobId("a"), undefined);
  assert.deepEqual(
    (await revision.list(""))?.map(({ name, kind }) => [name, kind]),
    [
      ["a", "folder"],
      ["a-b", "folder"],
      ["a.txt", "file"],
    ],
  );
  assert.equal(await revision.list("none"), undefined);
  assert.match((await revision.treeId("a"))!, /^[0-9a-f]{40}$/);
  assert.equal(await revision.treeId("a.txt"), undefined);
});

test("equal folders have equal tree ids across revisions", async (t) => {
  const { dir, snapshot } = await repository(t);
  const one = await snapshot(await commit(dir, { "a/x": "1", "b/x": "1" }));
  const two = await snapshot(await commit(dir, { "b/x": "2" }));
  assert.equal(await one.treeId("a"), await two.treeId("a"));
  assert.notEqual(await one.treeId("b"), await two.treeId("b"));
});

test("C1 refuses links, submodules and odd names, with the path named", async (t) => {
  const { dir, snapshot } = await repository(t);
  const file = await blob(dir, "x");
  const inner = await rawTree(dir, [{ mode: "100644", name: "x", id: file }]);
  const names: (string | Buffer)[] = [
    "..",
    ".",
    ".git",
    ".GIT",
    ".Git ",
    ".git...",
    "git~1",
    "GIT~2",
    ".git::$INDEX_ALLOCATION",
    ".g\u200cit",
    ".gi\ufefft",
    "a\\b",
    "a\nb",
    "a\u007fb",
    "a/b",
    Buffer.from([0x66, 0xff]),
    "l".repeat(256),
  ];
  const odd = await rawTree(dir, [
    ...names.map((name): RawEntry => ({ mode: "100644", name, id: file })),
    { mode: "40000", name: "..", id: inner },
    { mode: "120000", name: "link", id: file },
    { mode: "160000", name: "module", id: "1".repeat(40) },
    { mode: "100000", name: "mode", id: file },
    { mode: "100644", name: "ok", id: file },
    { mode: "100644", name: "ok", id: file },
    { mode: "40000", name: ".git", id: inner },
  ]);
  const revision = await snapshot(await commitTree(dir, await rawTree(dir, [{ mode: "40000", name: "fn", id: odd }])));
  const refused = await revision.refused("");
  assert.equal(refused.length, names.length + 6);
  for (const entry of refused) {
    assert.ok(entry.path.startsWith("fn/"));
    assert.ok(!/[\u0000-\u001f\u007f]/.test(entry.message), JSON.stringify(entry.message));
  }
  const reasons = new Map(refused.map(({ path, reason }) => [path, reason]));
  assert.equal(reasons.get("fn/link"), "symlink");
  assert.equal(reasons.get("fn/module"), "submodule");
  assert.match(refused.find(({ path }) => path === "fn/link")!.message, /"fn\/link" is a symbolic link/);
  for (const path of ["fn/..", "fn/.git", "fn/link", "fn/module", "fn/a\\b", "fn/.GIT"]) {
    await assert.rejects(revision.read(path), { code: "ERR_TREE_REFUSED" }, path);
  }
  assert.equal(Buffer.from((await revision.read("fn/ok"))!).toString(), "x");
  assert.equal(await revision.list("fn/.."), undefined);
  assert.equal(await revision.blobId("fn/link"), undefined);
});

test("ordinary names that look a little like .git are fine", async (t) => {
  const { dir, snapshot } = await repository(t);
  const revision = await snapshot(
    await commit(dir, {
      ".gitignore": "",
      ".gitattributes": "",
      ".github/x": "",
      "a.git/x": "",
      "ümlaut ü.ts": "",
      "git~x": "",
      "[id].ts": "",
    }),
  );
  assert.deepEqual(await revision.refused(""), []);
});

test("C1 refuses a file over the limit by its size alone, and an LFS pointer when it is read", async (t) => {
  const { dir, snapshot } = await repository(t, { fileSize: 1_000, depth: 64, entries: 100 });
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1\n";
  const revision = await snapshot(
    await commit(dir, { "a/big.bin": "x".repeat(1_001), "a/fits": "x".repeat(1_000), "a/lfs.bin": pointer }),
  );
  assert.deepEqual(
    (await revision.refused("a")).map(({ path, reason }) => [path, reason]),
    [["a/big.bin", "too-large"]],
  );
  await assert.rejects(revision.read("a/big.bin"), { code: "ERR_TREE_REFUSED" });
  await assert.rejects(revision.read("a/lfs.bin"), {
    code: "ERR_TREE_REFUSED",
    entry: { path: "a/lfs.bin", reason: "lfs", message: '"a/lfs.bin" is a pointer of Git LFS, not the file itself' },
  });
  assert.equal((await revision.read("a/fits"))?.length, 1_000);
});

test("C1 refuses what lies too deep, and reads the rest", async (t) => {
  const { dir, snapshot } = await repository(t, { fileSize: 1_000, depth: 3, entries: 100 });
  const revision = await snapshot(
    await commit(dir, { "a/b/c/wrangler.toml": CONFIG, "a/b/c/d/wrangler.toml": CONFIG, "x/y/c/z": "" }),
  );
  assert.deepEqual(await revision.functionFolders(), ["a/b/c"]);
  assert.deepEqual(
    (await revision.refused("")).map(({ path, reason }) => [path, reason]),
    [["a/b/c/d", "too-deep"]],
  );
});

test("C1 a bomb of nested trees is refused without being unfolded", async (t) => {
  const { dir, snapshot } = await repository(t);
  let tree = await rawTree(dir, [{ mode: "100644", name: "x", id: await blob(dir, "x") }]);
  for (let level = 0; level < 80; level++) {
    tree = await rawTree(
      dir,
      ["a", "b", "c", "d"].map((name) => ({ mode: "40000", name, id: tree })),
    );
  }
  const revision = await snapshot(await commitTree(dir, tree));
  await assert.rejects(revision.functionFolders(), { code: "ERR_TREE_REFUSED" });
});

test("a commit that lacks objects is an error, not half a tree", async (t) => {
  const { dir, snapshot } = await repository(t);
  const missing = "2".repeat(40);
  const good = await blob(dir, "x");
  const lacksBlob = await commitTree(
    dir,
    await rawTree(dir, [
      { mode: "100644", name: "a", id: good },
      { mode: "100644", name: "b", id: missing },
    ]),
  );
  await assert.rejects((await snapshot(lacksBlob)).functionFolders(), { code: "ERR_GIT" });
  const lacksTree = await commitTree(dir, await rawTree(dir, [{ mode: "40000", name: "b", id: missing }]));
  await assert.rejects((await snapshot(lacksTree)).functionFolders(), { code: "ERR_GIT" });
  await assert.rejects(snapshot(missing), { code: "ERR_GIT" });
});

test("a child that is killed is started anew", async (t) => {
  const { dir, snapshot } = await repository(t);
  const id = await commit(dir, { "a/wrangler.toml": CONFIG });
  assert.deepEqual(await (await snapshot(id)).functionFolders(), ["a"]);
  await killChildren("cat-file", dir);
  const next = await commit(dir, { "b/wrangler.toml": CONFIG });
  assert.deepEqual(await (await snapshot(next)).functionFolders(), ["a", "b"]);
});

test("objects that arrive later are seen by the running child", async (t) => {
  const { dir, snapshot } = await repository(t);
  for (let turn = 0; turn < 3; turn++) {
    const revision = await snapshot(await commit(dir, { "a/x": String(turn) }));
    assert.equal(Buffer.from((await revision.read("a/x"))!).toString(), String(turn));
  }
});

test("a missing repository is an error that says so", async (t) => {
  const { dir, snapshot } = await repository(t);
  const id = await commit(dir, { "a/x": "" });
  await rm(dir, { recursive: true });
  await assert.rejects(snapshot(id), { name: "WrkstError" });
});

/** Kills children of this process whose arguments hold both words. Linux only; elsewhere nothing is killed. */
async function killChildren(word: string, dir: string): Promise<void> {
  const children = await readFile(`/proc/self/task/${process.pid}/children`, "utf8").catch(() => "");
  for (const pid of children.trim().split(" ").filter(Boolean)) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes(word) && command.includes(dir)) process.kill(Number(pid), "SIGKILL");
  }
}
