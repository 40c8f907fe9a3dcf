import assert from "node:assert/strict";
import { test } from "node:test";
import { isAliasName } from "../model.js";
import { LONGEST_LABEL, labelsOf, matchesBranch } from "./branch-labels.js";

const labelOf = (branch: string, others: string[] = [], reserved: string[] = []) =>
  labelsOf([branch, ...others], reserved).get(branch) ?? "";

test("a branch is its own label where it can be, otherwise what is left of its name", () => {
  const cases = {
    feature: "feature",
    "fix-1": "fix-1",
    "Feature/X": "feature-x",
    "a//b__c": "a-b-c",
    "-odd-": "odd",
    "user/añb": "user-a-b",
  };
  for (const [branch, label] of Object.entries(cases)) assert.equal(labelOf(branch), label);
});

test("a hash is added to a label that was cut, is reserved, or another branch has or makes", () => {
  const hashed = /^[a-z0-9-]+-[0-9a-f]{8}$/;
  assert.match(labelOf("x".repeat(60)), hashed);
  assert.match(labelOf("latest"), hashed);
  assert.match(labelOf("deadbeef"), hashed);
  assert.match(labelOf("Main", [], ["main"]), hashed);
  assert.match(labelOf("---"), /^branch-[0-9a-f]{8}$/);
  assert.match(labelOf("a/b", ["a-b"]), hashed);
  assert.equal(labelOf("a-b", ["a/b"]), "a-b");
  assert.match(labelOf("a/b", ["a_b"]), hashed);
  assert.notEqual(labelOf("a/b", ["a_b"]), labelOf("a_b", ["a/b"]));
});

test("labels are aliases, differ from each other, and depend on the set of branches alone", () => {
  const taken = labelOf("a/b", ["a-b"]);
  const branches = ["a/b", "a-b", taken, "A/B", "x".repeat(100), `${"x".repeat(99)}y`, "7".repeat(9), "ü", "ö", "main"];
  const labels = labelsOf(branches, ["main"]);
  assert.equal(new Set(labels.values()).size, branches.length);
  for (const label of labels.values()) assert.ok(isAliasName(label) && label.length <= LONGEST_LABEL, label);
  assert.deepEqual(new Map([...labelsOf(branches.reverse(), ["main"])].sort()), new Map([...labels].sort()));
});

test("a pattern's star stays within a part of the name, two go over parts", () => {
  const cases: [string, string, boolean][] = [
    ["**", "feature/x", true],
    ["*", "feature", true],
    ["*", "feature/x", false],
    ["feature/*", "feature/x", true],
    ["feature/*", "feature/x/y", false],
    ["feature/**", "feature/x/y", true],
    ["v1.*", "v1x2", false],
  ];
  for (const [pattern, branch, fits] of cases) assert.equal(matchesBranch([pattern], branch), fits, pattern);
  assert.equal(matchesBranch([], "feature"), false);
});
