// Repositories that a source follows: working copies of this machine, and remotes over http that want a token; and what is seen of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import type { SourceDetail } from "../agent/model.js";
import { openGitHandler } from "../agent/source/git-http.js";
import { createRepository, functionFiles, type TestAgent, type TestRepository, until } from "./harness.js";

const run = promisify(execFile);

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-sources-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function workingCopy(t: TestContext): Promise<TestRepository> {
  const repository = await createRepository();
  t.after(() => repository.remove());
  return repository;
}

/** Waits until the function answers the text. */
export async function answers(agent: TestAgent, name: string, text: string): Promise<void> {
  await until(`"${name}" answers "${text}"`, async () => (await agent.request(name)).text === text);
}

/** Serves the repository below `folder` over http to whoever knows the token, unless it is revoked or the line is cut. */
async function serveGit(
  t: TestContext,
  folder: string,
  token: string,
  state: { fault?: "revoked" | "cut" },
): Promise<string> {
  const git = openGitHandler({ dir: join(folder, "remote.git"), hooksDir: folder, onPush: async () => {} });
  const expected = `Basic ${Buffer.from(`robot:${token}`).toString("base64")}`;
  const server = createServer((req, res) => {
    if (state.fault === "cut") return req.socket.destroy();
    if (state.fault !== "revoked" && req.headers.authorization === expected)
      return git.handle(req, res, (req.url ?? "").split("?")[0]!, "robot");
    res.writeHead(401, { "WWW-Authenticate": 'Basic realm="git"' }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    await git.close();
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return `http://127.0.0.1:${address.port}/remote.git`;
}

export async function remoteOf(t: TestContext, files = functionFiles("hello", "one")) {
  const folder = await temporaryFolder(t);
  const bare = join(folder, "remote.git");
  const repository = await workingCopy(t);
  await repository.commit(files);
  await run("git", ["clone", "--quiet", "--bare", repository.dir, bare]);
  const token = `canary-${randomUUID()}`;
  const state: { fault?: "revoked" | "cut" } = {};
  return { bare, repository, url: await serveGit(t, folder, token, state), token, state };
}

export const sourceNamed = (agent: TestAgent, name: string) => agent.api<SourceDetail>(`/api/v1/sources/${name}`);
