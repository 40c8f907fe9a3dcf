import assert from "node:assert/strict";
import { test } from "node:test";
import { type Freeze, isSuspicious, judge, SUSPICION, type Verdict } from "./culprit.js";

const freeze = (at: number, ...inFlight: string[]): Freeze => ({ at, traced: true, isComplete: true, inFlight });
const blind = (at: number): Freeze => ({ at, traced: false, isComplete: false, inFlight: [] });

const TABLE: [name: string, freezes: Freeze[], verdict: Verdict][] = [
  ["nothing happened", [], { kind: "unknown" }],
  ["the first freeze is never traced", [blind(0)], { kind: "unknown" }],
  ["nothing was in flight", [blind(0), freeze(1)], { kind: "unknown" }],
  ["one alone", [blind(0), freeze(1, "a")], { kind: "culprit", name: "a" }],
  ["one alone at an untraced freeze", [{ ...blind(0), inFlight: ["a"] }], { kind: "unknown" }],
  [
    "one alone, but others may have gone on after their answer",
    [{ at: 0, traced: true, isComplete: false, inFlight: ["a"] }],
    { kind: "suspects", suspects: ["a"], freezes: 1 },
  ],
  ["several, once", [freeze(1, "b", "a")], { kind: "suspects", suspects: ["a", "b"], freezes: 1 }],
  [
    "one that is in flight every time with others that change",
    [freeze(1, "a", "b"), freeze(2, "a", "c"), freeze(3, "a", "d")],
    { kind: "suspects", suspects: ["a"], freezes: 3 },
  ],
  [
    "two attackers take turns over a victim",
    [freeze(1, "evil1", "victim"), freeze(2, "evil2", "victim"), freeze(3, "evil1", "victim")],
    { kind: "suspects", suspects: ["victim"], freezes: 3 },
  ],
  [
    "an attacker that waits for its victim",
    [freeze(1, "evil", "victim"), freeze(2, "evil", "victim"), freeze(3, "evil", "victim")],
    { kind: "suspects", suspects: ["evil", "victim"], freezes: 3 },
  ],
  ["and is alone in the end", [freeze(1, "evil", "victim"), freeze(2, "evil")], { kind: "culprit", name: "evil" }],
  [
    "nobody was there every time",
    [freeze(1, "a", "b"), freeze(2, "c", "d")],
    { kind: "suspects", suspects: ["c", "d"], freezes: 1 },
  ],
  [
    "what is long past does not count",
    [freeze(0, "x", "y"), freeze(SUSPICION + 1, "a", "b")],
    { kind: "suspects", suspects: ["a", "b"], freezes: 1 },
  ],
];

for (const [name, freezes, verdict] of TABLE) {
  test(`judges: ${name}`, () => assert.deepEqual(judge(freezes), verdict));
}

test("is suspicious for a while after a freeze", () => {
  assert.equal(isSuspicious([], 0), false);
  assert.equal(isSuspicious([blind(10)], 10), true);
  assert.equal(isSuspicious([blind(10)], 10 + SUSPICION), false);
});
