import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openSource } from "./follow.js";
import { bareRepository, commit, git, temporaryFolder } from "./test-repository.js";

const signal = new AbortController().signal;

async function followed(t: TestContext) {
  const root = await temporaryFolder(t);
  const repo = await bareRepository(join(root, "repo.git"));
  const first = await commit(repo, { "a/x": "1" });
  await commit(repo, { "a/x": "2" });
  const options = { follow: { branch: "main" }, path: "", local: true, pollInterval: 0, gitDir: join(root, "mirrors") };
  const source = await openSource({ name: "default", repo, ...options });
  t.after(() => source.close());
  return { root, repo, first, source };
}

test("what a branch or a tag leads to is part of a repository, what a pull request brings is not until it is merged", async (t) => {
  const { repo, first, source } = await followed(t);
  const contains = (id: string) => source.contains(id, signal);
  await git(repo, ["branch", "stranger", "main"]);
  const pulled = await commit(repo, { "a/x": "mine" }, { branch: "stranger" });
  await git(repo, ["update-ref", "refs/pull/1/head", pulled]);
  await git(repo, ["update-ref", "-d", "refs/heads/stranger"]);
  const tagged = await commit(repo, { "a/x": "kept" }, { branch: "old" });
  await git(repo, ["tag", "v1", tagged]);
  await git(repo, ["update-ref", "-d", "refs/heads/old"]);
  assert.deepEqual(await Promise.all([first, tagged, pulled].map(contains)), [true, true, false]);
  assert.equal(await source.resolve(pulled, signal), pulled, "the repository hands it out all the same");
  assert.equal(await contains(pulled), false);
  await git(repo, ["update-ref", "refs/heads/main", pulled]);
  await commit(repo, { "a/x": "4" });
  assert.equal(await contains(pulled), true);
});

test("what was forced out of all branches is not part of a repository any more, and half a history is brought in again", async (t) => {
  const { root, repo, first, source } = await followed(t);
  const second = (await git(repo, ["rev-parse", "main"])).stdout.trim();
  await commit(repo, { "a/x": "3" });
  assert.equal(await source.contains(second, signal), true);
  await git(repo, ["update-ref", "refs/heads/main", first]);
  await commit(repo, { "a/x": "other" });
  assert.deepEqual([await source.contains(second, signal), await source.contains(first, signal)], [false, true]);
  await rm(join(root, "mirrors/default.git.history/objects"), { recursive: true });
  assert.equal(await source.contains(first, signal), true);
});
