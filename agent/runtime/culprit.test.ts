import assert from "node:assert/strict";
import { test } from "node:test";
import { type Freeze, groupSuspects, isSuspicious, judge, SUSPICION, type Verdict } from "./culprit.js";

const seen = { traced: true, isComplete: true, isStatement: false };
const freeze = (at: number, ...inFlight: string[]): Freeze => ({ at, ...seen, inFlight });
const blind = (at: number): Freeze => ({ at, traced: false, isComplete: false, isStatement: false, inFlight: [] });

const TABLE: [name: string, freeze: Freeze, verdict: Verdict][] = [
  ["the first freeze is never traced", blind(0), { kind: "unknown" }],
  ["nothing was in flight", freeze(1), { kind: "unknown" }],
  ["one alone", freeze(1, "a"), { kind: "culprit", name: "a" }],
  ["one alone at an untraced freeze", { ...blind(0), inFlight: ["a"] }, { kind: "unknown" }],
  [
    "one alone, but others may have gone on after their answer",
    { ...freeze(0, "a"), isComplete: false },
    { kind: "suspects", suspects: ["a"] },
  ],
  ["several", freeze(1, "b", "a"), { kind: "suspects", suspects: ["a", "b"] }],
];

for (const [name, frozen, verdict] of TABLE) {
  test(`judges: ${name}`, () => assert.deepEqual(judge(frozen), verdict));
}

test("suspects of the last freeze are kept apart from each other, and from those of earlier ones", () => {
  assert.deepEqual(groupSuspects(["a", "b"], [], 4), [["a"], ["b"], [], []]);
  assert.deepEqual(groupSuspects(["a", "b"], ["x", "y"], 4), [["x", "y"], ["a"], ["b"], []]);
  assert.deepEqual(groupSuspects(["a", "b", "c", "d"], ["x"], 3), [["x"], ["a", "c"], ["b", "d"]]);
});

test("however many are suspect, and whoever joins in: the one that freezes each ward it is in is alone in a few steps", () => {
  const others = Array.from({ length: 200 }, (_, n) => `f${n}`);
  let groups = groupSuspects(["evil", ...others], [], 4);
  for (let step = 0; step < 6; step++) {
    const frozen = groups.find((group) => group.includes("evil"))!;
    if (frozen.length > 1)
      groups = groupSuspects(
        frozen,
        groups.flat().filter((name) => !frozen.includes(name)),
        4,
      );
  }
  assert.deepEqual(
    groups.find((group) => group.includes("evil")),
    ["evil"],
  );
});

test("is suspicious for a while after a freeze", () => {
  assert.equal(isSuspicious([], 0), false);
  assert.equal(isSuspicious([blind(10)], 10), true);
  assert.equal(isSuspicious([blind(10)], 10 + SUSPICION), false);
});
