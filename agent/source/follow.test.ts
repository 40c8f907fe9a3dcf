import assert from "node:assert/strict";
import { chown, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WrkstError } from "../errors.js";
import { openEmbedded } from "./embedded.js";
import { openSource, type Source, type SourceOptions } from "./follow.js";
import { openGitHandler } from "./git-http.js";
import { bareRepository, blob, commit, commitTree, git, rawTree, temporaryFolder, until } from "./test-repository.js";

const signal = new AbortController().signal;

async function follow(
  t: TestContext,
  options: Partial<SourceOptions> & Pick<SourceOptions, "repo" | "gitDir">,
): Promise<Source> {
  const source = await openSource({
    name: "default",
    follow: { branch: "main" },
    path: "",
    local: true,
    pollInterval: 0,
    ...options,
  });
  t.after(() => source.close());
  return source;
}

async function localRepository(t: TestContext, options: Partial<SourceOptions> = {}) {
  const root = await temporaryFolder(t);
  const repo = await bareRepository(join(root, "repo.git"));
  const gitDir = join(root, "mirrors");
  const source = await follow(t, { repo, gitDir, ...options });
  return { root, repo, gitDir, source, mirror: join(gitDir, "default.git") };
}

async function text(source: Source, id: string, path: string): Promise<string> {
  return Buffer.from((await (await source.snapshot(id)).read(path)) ?? "(none)").toString();
}

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

test("a commit, a packed branch, a rewind and a repository that returns wake the loop", async (t) => {
  const { root, repo, source } = await localRepository(t);
  await commit(repo, { x: "1" });
  let wakes = 0;
  const watch = await source.watch(() => {
    wakes += 1;
  });
  t.after(() => watch.close());
  const wakesBy = async (name: string, change: () => Promise<unknown>) => {
    wakes = 0;
    await change();
    await until(() => wakes > 0).catch(() => assert.fail(`not woken by ${name}`));
  };
  await wakesBy("a commit", () => commit(repo, { x: "2" }));
  await wakesBy("a commit after it", () => commit(repo, { x: "3" }));
  await wakesBy("packing", () => git(repo, ["pack-refs", "--all"]));
  await wakesBy("a deleted branch", () => git(repo, ["update-ref", "-d", "refs/heads/main"]));
  await wakesBy("its return", () => commit(repo, { x: "4" }));
  await wakesBy("a branch in a folder", () => commit(repo, { x: "5" }, { branch: "a/b" }));
  await wakesBy("the loss of the repository", () => rename(repo, join(root, "away")));
  await wakesBy("its coming back", () => rename(join(root, "away"), repo));
  await wakesBy("a commit after that", () => commit(repo, { x: "6" }));
});

test("a repository that was away for a moment is watched as before", async (t) => {
  const { root, repo, source } = await localRepository(t);
  await commit(repo, { x: "1" });
  let wakes = 0;
  const watch = await source.watch(() => {
    wakes += 1;
  });
  t.after(() => watch.close());
  for (const n of ["2", "3", "4"]) {
    wakes = 0;
    await rename(repo, join(root, "away"));
    await until(() => wakes > 0);
    wakes = 0;
    await rename(join(root, "away"), repo);
    await until(() => wakes > 0);
    wakes = 0;
    await commit(repo, { x: n });
    await until(() => wakes > 0);
  }
});

test("a remote is polled with jitter, and says when next", async (t) => {
  const root = await temporaryFolder(t);
  const source = await follow(t, { repo: "https://localhost/x.git", gitDir: root, pollInterval: 5, random: () => 0.5 });
  let wakes = 0;
  assert.equal(source.looksAt, undefined);
  const before = Date.now();
  const watch = await source.watch(() => {
    wakes += 1;
  });
  assert.ok(source.looksAt !== undefined && source.looksAt >= before + 5);
  await until(() => wakes > 2);
  await watch.close();
  assert.equal(source.looksAt, undefined);
});

/** What becomes of a source of tags, read over HTTP and where it lies. */
for (const kind of ["a remote", "the embedded repository"]) {
  test(`follows the newest tag in a range of ${kind}: new, lower, moved, deleted, none`, async (t) => {
    const { url, repo } = await forge(t);
    const where = kind === "a remote" ? url : { embedded: repo };
    const source = await follow(t, { repo: where, gitDir: await temporaryFolder(t), follow: { tags: "^1" } });
    const tag = (...args: string[]) => git(repo, ["tag", ...args]);
    const idOf = async (name: string) => (await git(repo, ["rev-parse", `refs/tags/${name}`])).stdout.trim();
    const first = await commit(repo, { x: "1" });
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
    assert.equal(source.branch, "^1");
    await tag("v1.0.0", first);
    assert.deepEqual(await source.fetch({ signal }), { commit: first, tag: { name: "v1.0.0", id: first } });
    assert.equal(source.branch, "v1.0.0");
    const second = await commit(repo, { x: "2" });
    await tag("-a", "-m", "second", "v1.1.0", second);
    const annotated = { commit: second, tag: { name: "v1.1.0", id: await idOf("v1.1.0") } };
    // What was announced is shown, though it is not the newest: nobody waits for it.
    assert.deepEqual(await source.fetch({ signal, goal: first }), annotated);
    assert.deepEqual(await source.fetch({ signal }), annotated);
    assert.match(Buffer.from(await source.bytes(annotated.tag.id, "tag")).toString(), /\ntag v1\.1\.0\n/);
    assert.equal((await source.snapshot(second)).revision.branch, "v1.1.0");
    assert.equal(await text(source, second, "x"), "2");
    await tag("v1.0.5", first);
    await tag("v2.0.0", first);
    assert.deepEqual(await source.fetch({ signal, goal: first }), annotated);
    await tag("-f", "-a", "-m", "moved", "v1.1.0", first);
    const moved = { commit: first, tag: { name: "v1.1.0", id: await idOf("v1.1.0") } };
    assert.deepEqual(await source.look(signal), moved);
    assert.deepEqual(await source.fetch({ signal }), moved);
    await tag("-d", "v1.1.0");
    assert.deepEqual(await source.fetch({ signal }), { commit: first, tag: { name: "v1.0.5", id: first } });
    await tag("-d", "v1.0.0", "v1.0.5");
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
    assert.equal(await text(source, first, "x"), "1");
    await tag("v1.9.0", await blob(repo, "no commit"));
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT", message: /"v1\.9\.0"/ });
  });
}

test("tags that are made, moved and packed wake the loop that follows them", async (t) => {
  const { repo, source } = await localRepository(t, { follow: { tags: "*" } });
  const first = await commit(repo, { x: "1" });
  const second = await commit(repo, { x: "2" });
  let wakes = 0;
  const watch = await source.watch(() => {
    wakes += 1;
  });
  t.after(() => watch.close());
  for (const args of [
    ["tag", "v1.0.0", first],
    ["tag", "-f", "v1.0.0", second],
    ["pack-refs", "--all"],
  ]) {
    wakes = 0;
    await git(repo, args);
    await until(() => wakes > 0);
  }
});

interface Forge {
  url: string;
  repo: string;
  requests: string[];
  server: Server;
}

/** A forge over HTTP that wants a token. */
async function forge(t: TestContext, token?: string): Promise<Forge> {
  const root = await temporaryFolder(t);
  const repo = join(root, "functions.git");
  await openEmbedded({ dir: repo, hooksDir: join(root, "hooks") });
  const handler = openGitHandler({ dir: repo, hooksDir: join(root, "hooks"), onPush: async () => {} });
  const requests: string[] = [];
  const expected = token && `Basic ${Buffer.from(`git:${token}`).toString("base64")}`;
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`);
    if (expected && req.headers.authorization !== expected) {
      res.writeHead(401, { "WWW-Authenticate": 'Basic realm="forge"' }).end();
      return;
    }
    handler.handle(req, res, (req.url ?? "").replace(/\?.*$/, ""), "reader");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    await handler.close();
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/functions.git`,
    repo,
    requests,
    server,
  };
}

test("whether a commit is published is asked with the token, and without files where the forge can leave them out", async (t) => {
  const { url, repo } = await forge(t, "canary-token");
  await git(repo, ["config", "uploadpack.allowFilter", "true"]);
  const gitDir = await temporaryFolder(t);
  const source = await follow(t, { repo: url, gitDir, credentials: { token: "canary-token" } });
  const first = await commit(repo, { x: "1" });
  await commit(repo, { x: "2" });
  assert.equal(await source.contains(first, signal), true);
  assert.equal(await source.contains("1".repeat(40), signal), false);
  const all = ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"];
  assert.deepEqual((await git(join(gitDir, "default.git.history"), all)).stdout.trim().split("\n"), [
    "commit",
    "commit",
  ]);
});

test("follows a remote with a token, shallow, and fetches only when the branch has moved", async (t) => {
  const { url, repo, requests } = await forge(t, "canary-token");
  const gitDir = await temporaryFolder(t);
  const source = await follow(t, { repo: url, gitDir, credentials: { token: "canary-token" } });
  for (const n of ["1", "2", "3"]) await commit(repo, { x: n });
  const tip = (await git(repo, ["rev-parse", "main"])).stdout.trim();
  assert.deepEqual(await source.fetch({ signal }), { commit: tip });
  assert.equal((await git(join(gitDir, "default.git"), ["rev-list", "--count", tip])).stdout.trim(), "1");
  requests.length = 0;
  assert.deepEqual(await source.fetch({ signal }), { commit: tip });
  assert.equal(requests.filter((line) => line.startsWith("POST")).length, 1);
  const next = await commit(repo, { x: "4" });
  assert.deepEqual(await source.fetch({ signal }), { commit: next });
  assert.equal(await text(source, next, "x"), "4");
});

test("an announced commit is fetched without a look before, and what was fetched decides", async (t) => {
  const { url, repo, requests } = await forge(t);
  const source = await follow(t, { repo: url, gitDir: await temporaryFolder(t), goalDelays: [1, 1], seesAll: true });
  await commit(repo, { x: "1" });
  await source.fetch({ signal });
  const looks = () => requests.filter((line) => line.startsWith("GET")).length;
  const announced = await commit(repo, { x: "2" });
  requests.length = 0;
  assert.deepEqual(await source.fetch({ signal, goal: announced }), { commit: announced });
  assert.equal(looks(), 1);
  const passed = await commit(repo, { x: "3" });
  const newest = await commit(repo, { x: "4" });
  assert.deepEqual(await source.fetch({ signal, goal: passed }), { commit: newest });
  assert.equal(await text(source, newest, "x"), "4");
  const aside = await commit(repo, { x: "aside" }, { branch: "aside" });
  const last = await commit(repo, { x: "5" });
  await source.fetch({ signal, goal: last });
  assert.equal((await source.branches(signal)).get("aside"), aside);
  await git(repo, ["update-ref", "-d", "refs/heads/main"]);
  await assert.rejects(source.fetch({ signal, goal: passed }), { code: "ERR_GIT_NO_BRANCH", message: /"main"/ });
});

test("B8 a refused token is an error of its own and stands in no message, argument or file", async (t) => {
  const { url } = await forge(t, "another");
  const gitDir = await temporaryFolder(t);
  const withUser = url.replace("http://", "http://canary-user:canary-password@");
  const sources = [
    await follow(t, { repo: url, gitDir, credentials: { token: "canary-token" } }),
    await follow(t, { repo: withUser, gitDir, name: "second" }),
    await follow(t, { repo: url, gitDir, name: "third" }),
  ];
  for (const source of sources) {
    assert.ok(!source.repo.includes("canary"));
    await assert.rejects(source.fetch({ signal }), (error) => {
      assert.ok(error instanceof WrkstError);
      assert.equal(error.code, "ERR_GIT_AUTH");
      assert.ok(!/canary/.test(`${error.message} ${error.hint} ${error.stack} ${String(error.cause)}`));
      return true;
    });
  }
  for (const file of await readdir(gitDir, { recursive: true })) {
    assert.ok(!(await readFile(join(gitDir, file), "utf8").catch(() => "")).includes("canary"), file);
  }
});

test("a token is not sent to the host that a redirect leads to", async (t) => {
  const target = await forge(t, "canary-token");
  const server = createServer((req, res) => {
    res.writeHead(302, { Location: `${target.url.replace("/functions.git", "")}${req.url}` }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/functions.git`;
  const source = await follow(t, {
    repo: url,
    gitDir: await temporaryFolder(t),
    credentials: { token: "canary-token" },
  });
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_AUTH" });
});

test("D4 a host that does not answer is told as such, and serving goes on from what is here", async (t) => {
  const { url, repo, server } = await forge(t);
  const source = await follow(t, { repo: url, gitDir: await temporaryFolder(t) });
  const id = await commit(repo, { x: "1" });
  await source.fetch({ signal });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_UNREACHABLE" });
  assert.equal(await text(source, id, "x"), "1");
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
