import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openEmbedded, packEmbedded } from "./embedded.js";
import { gitEnvironment } from "./git.js";
import { type GitHandlerOptions, openGitHandler, type Push } from "./git-http.js";
import { commit, git, temporaryFolder, until } from "./test-repository.js";

interface Served {
  root: string;
  /** The bare repository. */
  dir: string;
  url: string;
  /** A clone with the files of the seed. */
  work: string;
  pushes: Push[];
}

async function serve(t: TestContext, options: Partial<GitHandlerOptions> = {}, seed = true): Promise<Served> {
  const root = await temporaryFolder(t);
  const dir = join(root, "git", "functions.git");
  const hooksDir = join(root, "hooks");
  if (seed) {
    await mkdir(join(root, "seed", "hello", "node_modules", "x"), { recursive: true });
    await writeFile(join(root, "seed", "hello", "wrangler.toml"), 'name = "hello"\n');
    await writeFile(join(root, "seed", "hello", "node_modules", "x", "index.js"), "");
  }
  await openEmbedded({ dir, hooksDir, seed: join(root, "seed") });
  const pushes: Push[] = [];
  const onPush = async (push: Push) => {
    pushes.push(push);
    await options.onPush?.(push);
  };
  const handler = openGitHandler({ dir, hooksDir, ...options, onPush });
  const server = createServer((req, res) =>
    handler.handle(req, res, (req.url ?? "").replace(/^\/git|\?.*$/g, ""), "admin"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    await handler.close();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/git/functions.git`;
  const work = join(root, "work");
  await git(root, ["clone", "--quiet", url, work]);
  return { root, dir, url, work, pushes };
}

async function change(work: string, files: Record<string, string | Buffer>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(work, path, ".."), { recursive: true });
    await writeFile(join(work, path), content);
  }
  await git(work, ["add", "--all"]);
  await git(work, ["commit", "--quiet", "-m", "change"]);
  return (await git(work, ["rev-parse", "HEAD"])).stdout.trim();
}

test("creates the repository once, with the seed as one commit, and leaves it alone afterwards", async (t) => {
  const { root, dir } = await serve(t);
  const log = (await git(dir, ["log", "--format=%an %s", "main"])).stdout.trim();
  assert.equal(log, "wrkst Examples to begin with");
  assert.equal((await git(dir, ["ls-tree", "-r", "--name-only", "main"])).stdout.trim(), "hello/wrangler.toml");
  const tip = await commit(dir, { "b/x": "1" });
  const again = await openEmbedded({ dir, hooksDir: join(root, "hooks"), seed: join(root, "seed") });
  assert.deepEqual(again, { created: false, seed: (await git(dir, ["rev-parse", "main~"])).stdout.trim() });
  assert.equal((await git(dir, ["rev-parse", "main"])).stdout.trim(), tip);
});

test("D2 a creation that was cut short is begun anew", async (t) => {
  const root = await temporaryFolder(t);
  const dir = join(root, "functions.git");
  await mkdir(join(root, "functions.git.new", "objects"), { recursive: true });
  await writeFile(join(root, "functions.git.new", "HEAD"), "garbage");
  assert.deepEqual(await openEmbedded({ dir, hooksDir: join(root, "hooks") }), { created: true });
  assert.deepEqual((await readdir(root)).sort(), ["functions.git", "hooks"]);
  assert.equal((await git(dir, ["symbolic-ref", "HEAD"])).stdout.trim(), "refs/heads/main");
});

test("D2 locks of a killed git do not stand in the way", async (t) => {
  const { root, dir, work } = await serve(t);
  for (const lock of ["refs/heads/main.lock", "packed-refs.lock", "HEAD.lock"]) await writeFile(join(dir, lock), "");
  await change(work, { a: "1" });
  assert.notEqual((await git(work, ["push", "origin", "main"], { fails: true })).code, 0);
  await openEmbedded({ dir, hooksDir: join(root, "hooks"), now: () => Date.now() + 1_000 });
  await git(work, ["push", "origin", "main"]);
});

test("a push moves the branch, tells the agent, and prints its lines", async (t) => {
  const { dir, work, pushes } = await serve(t, {
    async onPush({ write }) {
      write("hello updated");
      write("done in 10 ms");
    },
  });
  const from = (await git(work, ["rev-parse", "HEAD"])).stdout.trim();
  const to = await change(work, { "hello/index.ts": "export default 1" });
  const { stderr } = await git(work, ["push", "origin", "main"]);
  assert.match(stderr, /^remote: hello updated/m);
  assert.match(stderr, /^remote: done in 10 ms/m);
  assert.deepEqual(
    pushes.map(({ updates, who }) => ({ updates, who })),
    [{ updates: [{ ref: "refs/heads/main", from, to }], who: "admin" }],
  );
  assert.equal((await git(dir, ["rev-parse", "main"])).stdout.trim(), to);
});

test("lines reach the pusher while the push is still being dealt with", async (t) => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { work } = await serve(t, {
    async onPush({ write }) {
      write("first line");
      await released;
      write("second line");
    },
  });
  await change(work, { a: "1" });
  const child = spawn("git", ["push", "origin", "main"], {
    cwd: work,
    env: gitEnvironment({}, { GIT_ALLOW_PROTOCOL: "http" }),
  });
  let seen = "";
  child.stderr.on("data", (chunk) => {
    seen += chunk;
  });
  const exit = new Promise((resolve) => child.on("exit", resolve));
  await until(() => seen.includes("remote: first line"));
  assert.ok(!seen.includes("second line"));
  release();
  assert.equal(await exit, 0);
  await until(() => seen.includes("remote: second line"));
});

test("a push counts although the pusher went away, and nothing is left running", async (t) => {
  let finished = false;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { dir, work, pushes } = await serve(t, {
    async onPush({ write, signal }) {
      await released;
      for (let line = 0; line < 10_000; line++) write(`line ${line} ${"x".repeat(100)}`);
      finished = !signal.aborted;
    },
  });
  const to = await change(work, { a: "1" });
  const child = spawn("git", ["push", "origin", "main"], {
    cwd: work,
    detached: true,
    stdio: "ignore",
    env: gitEnvironment({}, { GIT_ALLOW_PROTOCOL: "http" }),
  });
  await until(() => pushes.length === 1);
  process.kill(-(child.pid as number), "SIGKILL");
  release();
  await until(() => finished);
  assert.equal((await git(dir, ["rev-parse", "main"])).stdout.trim(), to);
  await until(async () => (await processesNaming(dir)).length === 0);
});

test("an error while a push is dealt with is told to the pusher, and the push stands", async (t) => {
  const { work } = await serve(t, { onPush: () => Promise.reject(new Error("no room")) });
  await change(work, { a: "1" });
  const { stderr, code } = await git(work, ["push", "origin", "main"]);
  assert.equal(code, 0);
  assert.match(stderr, /^remote: no room/m);
});

test("forced pushes, new branches, deleted branches and tags are told as such", async (t) => {
  const { work, pushes } = await serve(t);
  const first = (await git(work, ["rev-parse", "HEAD"])).stdout.trim();
  await git(work, ["commit", "--quiet", "--amend", "-m", "rewritten"]);
  const second = (await git(work, ["rev-parse", "HEAD"])).stdout.trim();
  await git(work, ["push", "--force", "origin", "main", "main:refs/heads/feature/a"]);
  await git(work, ["push", "origin", ":main", ":feature/a"]);
  const ordered = pushes.map(({ updates }) => updates.sort((a, b) => (a.ref < b.ref ? -1 : 1)));
  assert.deepEqual(ordered, [
    [
      { ref: "refs/heads/feature/a", from: null, to: second },
      { ref: "refs/heads/main", from: first, to: second },
    ],
    [
      { ref: "refs/heads/feature/a", from: second, to: null },
      { ref: "refs/heads/main", from: second, to: null },
    ],
  ]);
});

test("20 MB go up in chunks, protocol version 2 brings them down again", async (t) => {
  const { root, work, url } = await serve(t);
  const files = Array.from({ length: 51 }, (_, n): [string, Buffer] => [`big/${n}.bin`, randomBytes(400 * 1024)]);
  await git(work, ["config", "core.compression", "0"]);
  await change(work, Object.fromEntries(files));
  const { stderr } = await git(work, ["-c", "http.postBuffer=1000", "push", "origin", "main"], {
    env: { GIT_TRACE_CURL: "1", GIT_TRACE_CURL_NO_DATA: "1" },
  });
  assert.match(stderr, /Transfer-Encoding: chunked/i);
  const clone = await git(root, ["-c", "protocol.version=2", "clone", "--quiet", url, "copy"], {
    env: { GIT_TRACE_PACKET: "1" },
  });
  assert.match(clone.stderr, /version 2/);
  for (const [path, bytes] of files) assert.ok(bytes.equals(await readFile(join(root, "copy", path))), path);
});

test("compressed requests are understood", async (t) => {
  const { root, dir, url } = await serve(t);
  // Above a kilobyte of wants git compresses its request.
  for (let n = 0; n < 25; n++) await commit(dir, { x: String(n) }, { branch: `b${n}` });
  await git(root, ["init", "--quiet", "copy"]);
  const { stderr } = await git(
    root,
    ["-C", "copy", "-c", "protocol.version=0", "fetch", url, "+refs/heads/*:refs/x/*"],
    { env: { GIT_TRACE_CURL: "1", GIT_TRACE_CURL_NO_DATA: "1" } },
  );
  assert.match(stderr, /Content-Encoding: gzip/i);
});

test("a shallow clone can be pushed", async (t) => {
  const { root, dir, url, work } = await serve(t);
  for (const n of ["1", "2", "3"]) await change(work, { a: n });
  await git(work, ["push", "origin", "main"]);
  const other = await serve(t, {}, false);
  await git(root, ["clone", "--quiet", "--depth=1", url, "shallow"]);
  await git(join(root, "shallow"), ["push", other.url, "main"]);
  assert.equal((await git(other.dir, ["rev-parse", "main"])).stdout, (await git(dir, ["rev-parse", "main"])).stdout);
});

test("C1 a push with a crafted tree, or over the limit, is refused", async (t) => {
  const { work } = await serve(t, { maxInputSize: 1_000_000 });
  const { stdout: file } = await git(work, ["hash-object", "-w", "--stdin"], { input: "x" });
  const entry = Buffer.concat([Buffer.from("100644 .git\0"), Buffer.from(file.trim(), "hex")]);
  const tree = (
    await git(work, ["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], { input: entry })
  ).stdout.trim();
  const bad = (await git(work, ["commit-tree", "-m", "bad", tree])).stdout.trim();
  const crafted = await git(work, ["push", "origin", `${bad}:refs/heads/bad`], { fails: true });
  assert.notEqual(crafted.code, 0);
  await change(work, { "big.bin": randomBytes(2_000_000) });
  assert.notEqual((await git(work, ["push", "origin", "main"], { fails: true })).code, 0);
});

test("packing keeps everything that a branch holds", async (t) => {
  const { dir } = await serve(t);
  for (let n = 0; n < 5; n++) await commit(dir, { [`a/${n}`]: String(n) });
  const before = (await git(dir, ["rev-list", "--objects", "--all"])).stdout;
  await packEmbedded(dir);
  assert.equal((await git(dir, ["rev-list", "--objects", "--all"])).stdout, before);
  assert.match((await git(dir, ["count-objects", "-v"])).stdout, /^packs: 1$/m);
});

test("answers smart HTTP of this one repository and nothing else", async (t) => {
  const { url } = await serve(t);
  const ask = async (path: string, init?: RequestInit) =>
    (await fetch(url.replace("/functions.git", path), init)).status;
  const post = (type: string): RequestInit => ({ method: "POST", headers: { "content-type": type }, body: "0000" });
  assert.equal(await ask("/functions.git/info/refs?service=git-upload-pack"), 200);
  assert.equal(await ask("/functions.git/info/refs"), 403);
  assert.equal(await ask("/functions.git/info/refs?service=git-upload-archive"), 403);
  assert.equal(await ask("/functions.git/HEAD"), 404);
  assert.equal(await ask("/functions.git/objects/info/packs"), 404);
  assert.equal(await ask("/functions.git/config"), 404);
  assert.equal(await ask("/other.git/info/refs?service=git-upload-pack"), 404);
  assert.equal(await ask("/functions.git/../functions.git/HEAD"), 404);
  assert.equal(await ask("/functions.git/git-upload-pack"), 405);
  assert.equal(await ask("/functions.git/git-upload-pack", post("text/plain")), 415);
  assert.equal(await ask("/functions.git/git-upload-archive", post("application/x-git-upload-archive-request")), 404);
});

test("a connection that gives up in the middle of an upload moves nothing and leaves nothing running", async (t) => {
  const { dir, url } = await serve(t);
  const before = (await git(dir, ["for-each-ref"])).stdout;
  const sending = request(`${url}/git-receive-pack`, {
    method: "POST",
    headers: { "content-type": "application/x-git-receive-pack-request" },
  });
  sending.on("error", () => {});
  // A line that announces 65,516 bytes, of which few ever come.
  sending.write("fff0and then");
  await until(async () => (await processesNaming(dir)).length > 0);
  sending.destroy();
  await until(async () => (await processesNaming(dir)).length === 0);
  assert.equal((await git(dir, ["for-each-ref"])).stdout, before);
});

test("the hook does nothing for a push by path, which succeeds", async (t) => {
  const { root, dir, work, pushes } = await serve(t);
  await change(work, { a: "1" });
  await git(work, ["-c", `core.hooksPath=${join(root, "hooks")}`, "push", dir, "main"]);
  assert.equal(pushes.length, 0);
  assert.ok((await stat(join(root, "hooks", "post-receive"))).mode & 0o100);
});

/** Processes whose environment or arguments name the path. Linux only; elsewhere none are seen. */
async function processesNaming(path: string): Promise<string[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter(
    (name) => /^\d+$/.test(name) && name !== String(process.pid),
  );
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
      return environment.includes(`PATH_TRANSLATED=${path}/`);
    }),
  );
  return pids.filter((_, index) => found[index]);
}
