import assert from "node:assert/strict";
import { chown, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { WrkstError } from "../errors.js";
import { openEmbedded } from "./embedded.js";
import { openSource, type SourceOptions } from "./follow.js";
import { follow, localRepository, signal, text } from "./test-follow.js";
import { bareRepository, blob, commit, commitTree, git, rawTree, temporaryFolder, until } from "./test-repository.js";

test("follows a path of this machine: first commit, next commit, forced push, rewritten history", async (t) => {
  const { repo, source } = await localRepository(t);
  assert.equal(source.repo, repo);
  for (const content of ["1", "2"]) {
    const id = await commit(repo, { "a/x": content });
    assert.deepEqual(await source.fetch({ signal }), { commit: id });
    assert.equal(await text(source, id, "a/x"), content);
  }
  const other = await commitTree(
    repo,
    await rawTree(repo, [{ mode: "100644", name: "only", id: await blob(repo, "rewritten") }]),
  );
  assert.deepEqual(await source.fetch({ signal }), { commit: other });
  assert.equal(await text(source, other, "only"), "rewritten");
  assert.deepEqual(await source.fetch({ signal }), { commit: other });
});

test("all branches are seen with the followed one, and those that are wanted become readable", async (t) => {
  const { repo, source } = await localRepository(t, { seesAll: true });
  const main = await commit(repo, { x: "main" });
  await git(repo, ["update-ref", "refs/heads/feature/x", main]);
  await source.fetch({ signal });
  const aside = await commit(repo, { x: "aside" });
  await git(repo, ["update-ref", "refs/heads/feature/x", aside]);
  await git(repo, ["update-ref", "refs/heads/main", main]);
  await git(repo, ["update-ref", "refs/pull/1/head", aside]);
  await source.fetch({ signal });
  const branches = await source.branches(signal);
  assert.deepEqual(
    branches,
    new Map([
      ["feature/x", aside],
      ["main", main],
    ]),
  );
  await assert.rejects(source.snapshot(aside), { code: "ERR_GIT" });
  await source.bringIn(new Map([["feature/x", aside]]), signal);
  const snapshot = await source.snapshot(aside, "feature/x");
  assert.equal(snapshot.revision.branch, "feature/x");
  assert.equal(await text(source, aside, "x"), "aside");
});

test("follows a repository with a working copy, a linked worktree, and a shallow clone", async (t) => {
  const { root, repo } = await localRepository(t);
  for (const n of ["1", "2"]) await commit(repo, { x: n });
  const id = (await git(repo, ["rev-parse", "main"])).stdout.trim();
  await git(root, ["clone", "--quiet", repo, "work"]);
  await git(join(root, "work"), ["worktree", "add", "--quiet", "--detach", join(root, "linked")]);
  await git(root, ["clone", "--quiet", "--depth=1", `file://${repo}`, "shallow"]);
  for (const name of ["work", "linked", "shallow"]) {
    const source = await follow(t, { repo: join(root, name), gitDir: join(root, `mirrors-${name}`) });
    assert.deepEqual(await source.fetch({ signal }), { commit: id }, name);
    assert.equal(await text(source, id, "x"), "2");
  }
});

test("resolves branches, tags and commits of a remote and brings them in, and refuses what is none", async (t) => {
  const { repo, source } = await localRepository(t);
  const first = await commit(repo, { x: "1" });
  await git(repo, ["tag", "-a", "-m", "first", "v1", first]);
  await commit(repo, { x: "2" });
  const side = await commit(repo, { x: "side" }, { branch: "side/way" });
  const { commit: tip } = await source.fetch({ signal });
  assert.equal(await source.resolve("v1", signal), first);
  assert.equal(await text(source, first, "x"), "1");
  assert.equal(await source.resolve("side/way", signal), side);
  assert.equal(await text(source, side, "x"), "side");
  assert.equal(await source.resolve(first, signal), first);
  assert.equal(await source.resolve(tip.slice(0, 8), signal), tip);
  await assert.rejects(source.resolve("nowhere", signal), { code: "ERR_NOT_FOUND" });
  await assert.rejects(source.resolve("--upload-pack=x", signal), { code: "ERR_GIT_REFUSED" });
  assert.deepEqual(await source.fetch({ signal }), { commit: tip });
});

test("applies the root path", async (t) => {
  const { repo, source } = await localRepository(t, { path: "/functions/" });
  const id = await commit(repo, { "functions/a/wrangler.toml": "", "other/wrangler.toml": "" });
  await source.fetch({ signal });
  assert.deepEqual(await (await source.snapshot(id)).functionFolders(), ["a"]);
});

test("an unborn, a deleted and a recreated branch", async (t) => {
  const { repo, source } = await localRepository(t);
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
  const first = await commit(repo, { x: "1" });
  assert.deepEqual(await source.fetch({ signal }), { commit: first });
  await git(repo, ["update-ref", "-d", "refs/heads/main"]);
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
  assert.equal(await text(source, first, "x"), "1");
  const second = await commit(repo, { x: "2" });
  assert.deepEqual(await source.fetch({ signal }), { commit: second });
});

test("D3 a repository that vanishes and returns, also as another one", async (t) => {
  const { root, repo, source } = await localRepository(t);
  const first = await commit(repo, { x: "1" });
  await source.fetch({ signal });
  await rename(repo, join(root, "away"));
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_UNREACHABLE" });
  assert.equal(await text(source, first, "x"), "1");
  await rename(join(root, "away"), repo);
  assert.deepEqual(await source.fetch({ signal }), { commit: first });
  await rm(repo, { recursive: true });
  await bareRepository(repo);
  const other = await commit(repo, { y: "other" });
  assert.deepEqual(await source.fetch({ signal }), { commit: other });
});

test("D3 a broken mirror is made anew without hand work", async (t) => {
  const { repo, source, mirror } = await localRepository(t);
  await commit(repo, { "a/x": "0" });
  await source.fetch({ signal });
  const breakages: Record<string, () => Promise<unknown>> = {
    "no mirror": () => rm(mirror, { recursive: true }),
    "no objects": () => rm(join(mirror, "objects"), { recursive: true }),
    "a reference to nothing": () => writeFile(join(mirror, "refs/wrkst/followed"), `${"3".repeat(40)}\n`),
    "garbage as reference": () => writeFile(join(mirror, "refs/wrkst/followed"), "garbage"),
    "garbage as HEAD": () => writeFile(join(mirror, "HEAD"), "garbage"),
    "garbage as configuration": () => writeFile(join(mirror, "config"), "[garbage"),
    "a half-made new mirror": () => writeFile(`${mirror}.new`, "garbage"),
  };
  for (const [name, breaks] of Object.entries(breakages)) {
    await breaks();
    const id = await commit(repo, { "a/x": name });
    assert.deepEqual(await source.fetch({ signal }), { commit: id }, name);
    assert.equal(await text(source, id, "a/x"), name);
  }
});

test("D3 objects that rot away in the mirror are an error once, and come back with the next fetch", async (t) => {
  const { repo, gitDir, mirror } = await localRepository(t);
  const id = await commit(repo, { "a/x": "kept" });
  const first = await follow(t, { repo, gitDir });
  await first.fetch({ signal });
  await first.close();
  for (const folder of await readdir(join(mirror, "objects"))) {
    if (folder.length === 2 || folder === "pack") await rm(join(mirror, "objects", folder), { recursive: true });
  }
  await git(repo, ["cat-file", "commit", id]);
  const { stdout } = await git(repo, ["cat-file", "commit", id]);
  await git(mirror, ["hash-object", "-t", "commit", "-w", "--stdin"], { input: stdout });
  const source = await follow(t, { repo, gitDir });
  assert.deepEqual(await source.fetch({ signal }), { commit: id });
  await assert.rejects(source.snapshot(id), { code: "ERR_GIT" });
  assert.deepEqual(await source.fetch({ signal }), { commit: id });
  assert.equal(await text(source, id, "a/x"), "kept");
});

test("D2 locks of a killed git do not stand in the way of the next fetch", async (t) => {
  const { repo, source, mirror } = await localRepository(t);
  await commit(repo, { x: "1" });
  await source.fetch({ signal });
  for (const lock of ["shallow.lock", "refs/wrkst/followed.lock", "packed-refs.lock", "config.lock", "HEAD.lock"]) {
    await writeFile(join(mirror, lock), "");
  }
  const id = await commit(repo, { x: "2" });
  assert.deepEqual(await source.fetch({ signal }), { commit: id });
});

test("a remote that lacks objects is an error, and what was there before stays readable", async (t) => {
  const { repo, source } = await localRepository(t);
  const good = await commit(repo, { x: "1" });
  await source.fetch({ signal });
  await commitTree(repo, await rawTree(repo, [{ mode: "100644", name: "a", id: "4".repeat(40) }]));
  await assert.rejects(
    source.fetch({ signal }),
    (error) => error instanceof WrkstError && ["ERR_GIT", "ERR_GIT_UNREACHABLE"].includes(error.code),
  );
  assert.equal(await text(source, good, "x"), "1");
});

test("C1 a crafted tree is refused by the fetch", async (t) => {
  const { repo, source } = await localRepository(t);
  const file = await blob(repo, "x");
  await commitTree(repo, await rawTree(repo, [{ mode: "100644", name: ".git", id: file }]));
  await assert.rejects(source.fetch({ signal }), { code: "ERR_TREE_REFUSED" });
});

test("a repository of another user is followed, since the operator named it", {
  skip: process.getuid?.() !== 0,
}, async (t) => {
  const { repo, source } = await localRepository(t);
  const id = await commit(repo, { x: "1" });
  for (const name of ["", ...(await readdir(repo, { recursive: true }))]) await chown(join(repo, name), 12_345, 12_345);
  assert.deepEqual(await source.fetch({ signal }), { commit: id });
});

test("C2 refuses addresses, branches and paths before git sees them", async (t) => {
  const gitDir = await temporaryFolder(t);
  const base = {
    name: "default",
    follow: { branch: "main" },
    path: "",
    gitDir,
    pollInterval: 0,
    repo: "/srv/x",
    local: true,
  };
  const wrong: Partial<SourceOptions>[] = [
    { repo: "ext::id" },
    { repo: "--upload-pack=id" },
    { follow: { branch: "--exec" } },
    { follow: { branch: "a:b" } },
    { follow: { tags: "newest" } },
    { path: "../x" },
    { local: false },
    { repo: "git@host:x" },
  ];
  for (const options of wrong)
    await assert.rejects(openSource({ ...base, ...options }), { code: "ERR_GIT_REFUSED" }, JSON.stringify(options));
  assert.deepEqual(await readdir(gitDir), []);
});

test("an announced commit is waited for, and a moved branch ends the waiting", async (t) => {
  const { repo, source } = await localRepository(t, { goalDelays: [5, 5, 5] });
  const first = await commit(repo, { x: "1" });
  assert.deepEqual(await source.fetch({ signal, goal: first }), { commit: first });
  assert.deepEqual(await source.fetch({ signal, goal: "5".repeat(40) }), { commit: first });
  const { source: patient } = {
    source: await follow(t, { repo, gitDir: join(repo, "..", "other"), goalDelays: Array(2_000).fill(5) }),
  };
  await patient.fetch({ signal });
  const waiting = patient.fetch({ signal, goal: "6".repeat(40) });
  const second = await commit(repo, { x: "2" });
  assert.deepEqual(await waiting, { commit: second });
  const abort = new AbortController();
  const endless = patient.fetch({ signal: abort.signal, goal: "7".repeat(40) });
  abort.abort(new Error("closing"));
  await assert.rejects(endless, /closing/);
});

test("the embedded repository is read where it lies", async (t) => {
  const root = await temporaryFolder(t);
  const dir = join(root, "functions.git");
  await openEmbedded({ dir, hooksDir: join(root, "hooks") });
  const source = await follow(t, { repo: { embedded: dir }, gitDir: root });
  assert.equal(source.repo, "embedded");
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
  let wakes = 0;
  const watch = await source.watch(() => {
    wakes += 1;
  });
  t.after(() => watch.close());
  const id = await commit(dir, { "a/wrangler.toml": "" });
  await until(() => wakes > 0);
  assert.deepEqual(await source.fetch({ signal }), { commit: id });
  assert.deepEqual(await (await source.snapshot(id)).functionFolders(), ["a"]);
  await git(dir, ["update-ref", "-d", "refs/heads/main"]);
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
  await writeFile(join(dir, "refs/heads/main"), `${"8".repeat(40)}\n`);
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT" });
  await rename(dir, join(root, "away"));
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_UNREACHABLE" });
  await rename(join(root, "away"), dir);
  const next = await commitTree(dir, await rawTree(dir, []));
  assert.deepEqual(await source.fetch({ signal }), { commit: next });
});
