import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Source } from "./follow.js";
import { follow, localRepository } from "./test-follow.js";
import { commit, git, temporaryFolder, until } from "./test-repository.js";

/** Counts how often the source wakes who watches it. */
async function listenTo(t: TestContext, source: Source): Promise<{ wakes: number }> {
  const heard = { wakes: 0 };
  const watch = await source.watch(() => {
    heard.wakes += 1;
  });
  t.after(() => watch.close());
  return heard;
}

test("a commit, a packed branch, a rewind and a repository that returns wake the loop", async (t) => {
  const { root, repo, source } = await localRepository(t);
  await commit(repo, { x: "1" });
  const heard = await listenTo(t, source);
  const wakesBy = async (name: string, change: () => Promise<unknown>) => {
    heard.wakes = 0;
    await change();
    await until(() => heard.wakes > 0).catch(() => assert.fail(`not woken by ${name}`));
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
  const heard = await listenTo(t, source);
  for (const n of ["2", "3", "4"]) {
    heard.wakes = 0;
    await rename(repo, join(root, "away"));
    await until(() => heard.wakes > 0);
    heard.wakes = 0;
    await rename(join(root, "away"), repo);
    await until(() => heard.wakes > 0);
    heard.wakes = 0;
    await commit(repo, { x: n });
    await until(() => heard.wakes > 0);
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

test("tags that are made, moved and packed wake the loop that follows them", async (t) => {
  const { repo, source } = await localRepository(t, { follow: { tags: "*" } });
  const first = await commit(repo, { x: "1" });
  const second = await commit(repo, { x: "2" });
  const heard = await listenTo(t, source);
  for (const args of [
    ["tag", "v1.0.0", first],
    ["tag", "-f", "v1.0.0", second],
    ["pack-refs", "--all"],
  ]) {
    heard.wakes = 0;
    await git(repo, args);
    await until(() => heard.wakes > 0);
  }
});
