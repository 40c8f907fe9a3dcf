import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { refuseEdit, refuseRemoval } from "./of-environment.js";

const URL = "https://git.example.com/shop.git";
type Changes = Parameters<typeof refuseEdit>[2];

const cases: [what: string, repo: string, changes: Changes, named: RegExp, unnamed?: RegExp][] = [
  ["a branch", "embedded", { follow: { branch: "x" } }, /set GIT_BRANCH in/, /GIT_REPO|GIT_TAGS/],
  ["a range of tags", "embedded", { follow: { tags: "^1" } }, /set GIT_TAGS in/, /GIT_BRANCH/],
  ["nothing", "embedded", {}, /set GIT_REPO, GIT_BRANCH/],
  ["several settings", URL, { path: "a", interval: 5_000 }, /set GIT_PATH, GIT_POLL_INTERVAL in/],
  ["what needs a remote", "embedded", { interval: 5_000, token: "t" }, /no setting for: interval, token\./, /GIT_/],
  ["a remote with its token", "embedded", { repo: URL, token: "t" }, /set GIT_REPO, GIT_TOKEN in/, /no setting/],
  ["what has no variable", URL, { atomic: true, prune: "never" }, /no setting for: atomic; set GIT_PRUNE_LIMIT in/],
  ["credentials", URL, { sshKey: "k", knownHosts: null }, /set GIT_SSH_KEY_FILE, GIT_KNOWN_HOSTS_FILE in/],
  ["signers", URL, { verify: { what: "commit", signers: "s" } }, /GIT_VERIFY_SIGNERS or GIT_VERIFY_KEYRING/],
];

for (const [what, repo, changes, named, unnamed] of cases) {
  test(`an edit of the environment's source that asks for ${what} is told the variables`, async () => {
    const { code, hint = "" } = refuseEdit("default", repo, changes);
    assert.equal(code, "ERR_CONFLICT");
    assert.match(hint, named);
    assert.match(hint, /Possible by command: .*suspend/);
    if (unnamed) assert.doesNotMatch(hint, unnamed);
    const documented = await readFile(".env.example", "utf8");
    for (const [variable] of hint.matchAll(/GIT_[A-Z_]+[A-Z]/g))
      assert.ok(documented.includes(`# ${variable}=`), variable);
  });
}

test("a removal of the environment's source is told what is possible instead", () => {
  const { code, hint = "" } = refuseRemoval("default");
  assert.equal(code, "ERR_CONFLICT");
  assert.match(hint, /GIT_REPO.*wrkst source suspend default/);
});
