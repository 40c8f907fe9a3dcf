import assert from "node:assert/strict";
import { test } from "node:test";
import { concernOf } from "./concern.js";

const settings = (follow: { branch: string } | { tags: string }, previews: string[] = []) => ({
  branch: "main",
  settings: { follow, previews, account: "main" },
});
const ofBranch = settings({ branch: "main" }, ["feature/*"]);
const ofTags = settings({ tags: ">=1" });

const cases: [string, Parameters<typeof concernOf>, string][] = [
  ["the followed branch", ["refs/heads/main", ofBranch], "followed"],
  ["the followed branch of a source without settings", ["refs/heads/main", { branch: "main" }], "followed"],
  ["a tag of the branch's name", ["refs/tags/main", ofBranch], "none"],
  ["a branch with a preview", ["refs/heads/feature/a", ofBranch], "previewed"],
  ["a tag of that name", ["refs/tags/feature/a", ofBranch], "none"],
  ["a branch without a preview", ["refs/heads/fix", ofBranch], "none"],
  ["a branch whose name begins like the followed one", ["refs/heads/maintenance", ofBranch], "none"],
  ["a tag, for a source of tags", ["refs/tags/v1.2.0", ofTags], "followed"],
  ["a branch, for a source of tags", ["refs/heads/main", ofTags], "none"],
  ["no reference at all", [undefined, ofTags], "followed"],
];
for (const [name, args, expected] of cases) {
  test(`says of ${name}: ${expected}`, () => {
    assert.equal(concernOf(...args), expected);
  });
}
