import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { WrkstError } from "../errors.js";
import { follow, forge, signal, text } from "./test-follow.js";
import { commit, git, temporaryFolder } from "./test-repository.js";

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
