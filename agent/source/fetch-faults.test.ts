// What may go wrong while a remote is fetched; what was there before stays readable, and the next fetch mends all.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { createServer } from "node:http";
import { connect, createServer as createTcp, type Server } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { openEmbedded } from "./embedded.js";
import { openSource, type Source } from "./follow.js";
import { openGitHandler } from "./git-http.js";
import { commit, temporaryFolder } from "./test-repository.js";

const run = promisify(execFile);
const signal = new AbortController().signal;
const KIB = 1024;

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

/** A forge over HTTP, behind a line that the test may cut; `token` may be changed. */
async function forgeWithFaults(t: TestContext) {
  const root = await temporaryFolder(t);
  const repo = join(root, "functions.git");
  const hooksDir = join(root, "hooks");
  await openEmbedded({ dir: repo, hooksDir });
  const handler = openGitHandler({ dir: repo, hooksDir, onPush: async () => {} });
  const state = { token: "first", bytes: Number.POSITIVE_INFINITY, cuts: 0 };
  const forge = createServer((req, res) => {
    const expected = `Basic ${Buffer.from(`git:${state.token}`).toString("base64")}`;
    if (req.headers.authorization === expected) {
      return handler.handle(req, res, (req.url ?? "").replace(/\?.*$/, ""), "reader");
    }
    res.writeHead(401, { "WWW-Authenticate": 'Basic realm="forge"' }).end();
  });
  const port = await listening(forge);
  const line = createTcp((near) => {
    const far = connect(port, "127.0.0.1");
    let left = state.bytes;
    const end = () => [near, far].forEach((one) => void one.destroy());
    far.on("data", (chunk: Buffer) => {
      near.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left >= 0) return;
      state.cuts += 1;
      end();
    });
    near.pipe(far);
    for (const one of [near, far]) one.on("error", end).on("close", end);
  });
  const url = `http://127.0.0.1:${await listening(line)}/functions.git`;
  t.after(async () => {
    await handler.close();
    forge.closeAllConnections();
    forge.close();
    line.close();
  });
  return { root, repo, url, state };
}

async function follow(t: TestContext, repo: string, gitDir: string): Promise<Source> {
  const credentials = { token: "first" };
  const base = { name: "default", follow: { branch: "main" }, path: "", local: true, pollInterval: 0 };
  const source = await openSource({ ...base, repo, gitDir, credentials });
  t.after(() => source.close());
  return source;
}

async function read(source: Source, id: string): Promise<string> {
  return Buffer.from((await (await source.snapshot(id)).read("x")) ?? "").toString();
}

/** Files that a fetch leaves behind when it does not come to its end. */
async function remains(gitDir: string): Promise<string[]> {
  const all = await readdir(gitDir, { recursive: true });
  return all.filter((name) => /(^|\/)(\.?tmp[_-]|incoming-)|\.lock$|\.new(\/|$)/.test(name));
}

const noise = (size: number) => randomBytes(size / 2).toString("hex");

test("D3 a server that breaks off in the middle of a pack: what is here stays, and the next fetch is whole", async (t) => {
  const { root, repo, url, state } = await forgeWithFaults(t);
  const gitDir = join(root, "mirrors");
  const source = await follow(t, url, gitDir);
  const first = await commit(repo, { x: "1" });
  await source.fetch({ signal });
  const second = await commit(repo, { x: "2", big: noise(512 * KIB) });
  state.bytes = 64 * KIB;
  for (let attempt = 0; attempt < 3; attempt++) {
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_UNREACHABLE" });
  }
  assert.ok(state.cuts >= 3);
  assert.equal(await read(source, first), "1");
  state.bytes = Number.POSITIVE_INFINITY;
  assert.deepEqual(await source.fetch({ signal }), { commit: second });
  assert.equal(await read(source, second), "2");
  assert.deepEqual(await remains(gitDir), []);
});

test("D3 a first fetch that breaks off leaves nothing behind", async (t) => {
  const { root, repo, url, state } = await forgeWithFaults(t);
  const gitDir = join(root, "mirrors");
  const source = await follow(t, url, gitDir);
  const id = await commit(repo, { x: "1", big: noise(512 * KIB) });
  state.bytes = 64 * KIB;
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_UNREACHABLE" });
  assert.deepEqual(await remains(gitDir), []);
  state.bytes = Number.POSITIVE_INFINITY;
  assert.deepEqual(await source.fetch({ signal }), { commit: id });
});

test("D4 credentials that are revoked are told as such, and work again once they are good", async (t) => {
  const { root, repo, url, state } = await forgeWithFaults(t);
  const source = await follow(t, url, join(root, "mirrors"));
  const first = await commit(repo, { x: "1" });
  await source.fetch({ signal });
  state.token = "another";
  const second = await commit(repo, { x: "2" });
  await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_AUTH" });
  assert.equal(await read(source, first), "1");
  state.token = "first";
  assert.deepEqual(await source.fetch({ signal }), { commit: second });
});

/** A file system of one MiB, or why there can be none. */
async function mountSmallDisk(folder: string): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root may mount a small disk on Linux";
  await mkdir(folder);
  return run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).then(
    () => undefined,
    (error: { stderr?: string }) => `no disk could be mounted: ${error.stderr?.trim()}`,
  );
}

test("D3 a disk that is full while fetching: what is here stays readable, and nothing half stays on it", async (t) => {
  const { root, repo, url } = await forgeWithFaults(t);
  const gitDir = join(root, "mirrors");
  const refused = await mountSmallDisk(gitDir);
  if (refused !== undefined) return t.skip(refused);
  try {
    const source = await follow(t, url, gitDir);
    const first = await commit(repo, { x: "1" });
    await source.fetch({ signal });
    await commit(repo, { x: "2", big: noise(2560 * KIB) });
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT", hint: "make room on the disk of DATA_DIR" });
    assert.equal(await read(source, first), "1");
    const third = await commit(repo, { x: "3", big: null });
    assert.deepEqual(await source.fetch({ signal }), { commit: third });
    assert.equal(await read(source, third), "3");
    assert.deepEqual(await remains(gitDir), []);
    await source.close();
  } finally {
    await run("umount", ["--lazy", gitDir]);
  }
});
