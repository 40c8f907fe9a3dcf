import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeFigures } from "../../../runtime/wire.js";
import { decideTrial, type Standing, statusOfTrial } from "../../deploy/trial.js";
import { AUTO_ROLLBACK, type Figures, GRADUAL, type Trial } from "../../model.js";
import { createTally } from "./tally.js";

const TRIAL: Trial = { version: "b", before: "a", step: 0, beganAt: 1_000, steppedAt: 1_000 };
const of = (requests: number, failures = 0): Figures => ({ requests, failures, buckets: [requests] });
const reading = (process: string, versions: Record<string, [total: number, recent: number]>): RuntimeFigures => {
  const told = Object.entries(versions).map(([id, [total, recent]]) => [id, { total: of(total), recent: of(recent) }]);
  return { process, functions: { hello: Object.fromEntries(told) } };
};

test("figures of processes add up, survive the end of one, and leave out what the version before got earlier", () => {
  const tally = createTally("hello", TRIAL);
  const recentOf = () => tally.recent?.requests;
  tally.add([]);
  assert.equal(recentOf(), undefined);
  tally.add([reading("one", { a: [5_000, 1_500] }), reading("ward", { a: [10, 10] })]);
  assert.equal(recentOf(), 1_510);
  tally.add([reading("one", { a: [5_095, 1_595], b: [5, 5] }), reading("ward", { a: [10, 10] })]);
  assert.deepEqual([tally.tried.requests, tally.before.requests], [5, 95]);
  tally.add([reading("two", { a: [20, 20], b: [2, 2] })]);
  assert.deepEqual([tally.tried.requests, tally.before.requests, recentOf()], [7, 115, 1_510]);
  tally.follow({ ...TRIAL, step: 1 });
  tally.add([reading("two", { a: [20, 20], b: [12, 12] })]);
  assert.deepEqual([tally.tried.requests, tally.stepRequests], [17, 10]);
});

test("what was known of the version before outlives a restart of the agent", () => {
  const tally = createTally("hello", { ...TRIAL, baseline: of(700, 3) });
  tally.add([reading("new", { a: [1, 1] })]);
  assert.deepEqual(tally.recent, of(700, 3));
});

const standing = (change: Partial<Standing>): Standing => ({
  ...{ trial: TRIAL, manifest: { autoRollback: AUTO_ROLLBACK, gradual: GRADUAL } },
  ...{ tried: of(0), before: { since: of(0), recent: of(500) }, stepRequests: 0, now: 2_000 },
  ...change,
});
const last: Trial = { ...TRIAL, step: GRADUAL.steps.length };
const steps: [name: string, change: Partial<Standing>, decision: object][] = [
  ["waits while neither the requests nor the time of the step are over", { stepRequests: 99 }, { kind: "wait" }],
  ["goes a step on after enough requests", { stepRequests: 100 }, { kind: "advance", step: 1 }],
  ["goes a step on after its time", { now: 1_000 + 300_000 }, { kind: "advance", step: 1 }],
  ["is watched on with all traffic", { trial: last, stepRequests: 100 }, { kind: "wait" }],
  ["is over after enough requests", { trial: last, stepRequests: 500 }, { kind: "pass" }],
  ["is over after its time", { trial: last, now: 1_000 + 600_000 }, { kind: "pass" }],
  [
    "is over with the last step where nothing else is wanted",
    { trial: last, manifest: { gradual: GRADUAL } },
    { kind: "pass" },
  ],
];
for (const [name, change, decision] of steps) {
  test(`a trial ${name}`, () => assert.deepEqual(decideTrial(standing(change)), decision));
}

test("a version that is worse goes back at any step, by what the version before did at the same time if that is enough", () => {
  const tried = of(60, 40);
  assert.equal(decideTrial(standing({ tried })).kind, "return");
  assert.equal(decideTrial(standing({ tried, stepRequests: 500, trial: last })).kind, "return");
  const outage = { since: of(100, 70), recent: of(500) };
  assert.equal(decideTrial(standing({ tried, before: outage })).kind, "wait");
});

test("the status of a trial says the figures, the shares to come, and what is still missing", () => {
  const { percentage, steps: to, baseline, requestsLeft, nextAt } = statusOfTrial(standing({ stepRequests: 40 }));
  assert.deepEqual([percentage, to, baseline, requestsLeft], [5, [25, 100], { requests: 500, failures: 0 }, 60]);
  assert.equal(nextAt, 301_000);
});
