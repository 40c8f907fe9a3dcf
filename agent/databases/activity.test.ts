import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { D1_BUCKETS, D1_SLOWEST, type D1ObjectStats } from "../../runtime/d1/wire.js";
import { quantileOf } from "../model.js";
import { openActivity } from "./activity.js";
import { newFolder } from "./testing.js";

const HOUR = 3_600_000;

function newPlace(t: TestContext) {
  const file = join(newFolder(t), "activity.sqlite");
  const clock = { now: 1_700_000_000_000 };
  const told: string[] = [];
  const open = (most?: number) => {
    const options = { now: () => clock.now, onDamage: (message: string) => void told.push(message) };
    const activity = openActivity(file, { ...options, ...(most === undefined ? {} : { most }) });
    t.after(() => activity.close());
    return activity;
  };
  const stats = (...slow: [sql: string, milliseconds: number][]): D1ObjectStats => ({
    ...{ queries: 3, writes: 1, errors: 1, rowsRead: 20, rowsWritten: 2, milliseconds: 30, size: 4096 },
    buckets: D1_BUCKETS.map((_, index) => (index < 2 ? 1 : 0)).concat(0),
    slowest: slow.map(([sql, milliseconds]) => ({ sql, milliseconds, rowsRead: 1, at: clock.now })),
  });
  return { file, clock, open, stats, told };
}

test("what happened is summed over a day, over all objects of a database, and kept over a restart", (t) => {
  const { clock, open, stats } = newPlace(t);
  const first = open();
  const since = clock.now;
  first.add({ objects: { "a.1": stats(), "b.1": stats() } });
  first.add({ objects: { "a.2": stats() } });
  clock.now += HOUR;
  first.add({ objects: { "a.2": stats() } });
  first.close();
  const { slowest, buckets, ...sums } = open().of("a");
  assert.deepEqual(sums, {
    ...{ since, queries: 9, writes: 3, errors: 3, rowsRead: 60, rowsWritten: 6, milliseconds: 90 },
  });
  assert.deepEqual([slowest, buckets.slice(0, 3)], [[], [3, 3, 0]]);
  assert.equal(open().of("nobody").queries, 0);
});

test("what is older than a day counts no longer", (t) => {
  const { clock, open, stats } = newPlace(t);
  const activity = open();
  activity.add({ objects: { "a.1": stats(["SELECT old", 5]) } });
  clock.now += 24 * HOUR;
  assert.deepEqual([activity.of("a").queries, activity.of("a").slowest], [0, []]);
  activity.add({ objects: { "a.1": stats(["SELECT new", 1]) } });
  assert.deepEqual([activity.of("a").queries, activity.of("a").slowest.map(({ sql }) => sql)], [3, ["SELECT new"]]);
});

test("a statement stands among the slowest once, as it was at its slowest, and only so many do", (t) => {
  const { open, stats } = newPlace(t);
  const activity = open();
  const many = Array.from({ length: D1_SLOWEST }, (_, index): [string, number] => [`SELECT ${index}`, index + 1]);
  activity.add({ objects: { "a.1": stats(...many) } });
  activity.add({ objects: { "a.1": stats(["SELECT 9", 2], ["SELECT 8", 99], ["SELECT x", 50]) } });
  const { slowest } = activity.of("a");
  assert.deepEqual(
    slowest.slice(0, 3).map(({ sql, milliseconds }) => [sql, milliseconds]),
    [
      ["SELECT 8", 99],
      ["SELECT x", 50],
      ["SELECT 9", 10],
    ],
  );
  assert.equal(slowest.length, D1_SLOWEST);
});

test("of too many databases, those that were not used for longest are forgotten", (t) => {
  const { clock, open, stats } = newPlace(t);
  const activity = open(2);
  for (const name of ["a", "b", "a", "c"]) {
    activity.add({ objects: { [`${name}.1`]: stats(["SELECT 1", 1]) } });
    clock.now += HOUR;
  }
  const kept = ["a", "b", "c"].map((name) => [activity.of(name).queries, activity.of(name).slowest.length]);
  assert.deepEqual(kept, [
    [6, 1],
    [0, 0],
    [3, 1],
  ]);
});

test("a damaged file is made anew, and told of", (t) => {
  const { file, open, told } = newPlace(t);
  writeFileSync(file, "this is no database at all, and long enough to be one".repeat(99));
  assert.equal(open().of("a").queries, 0);
  assert.equal(told.length, 1);
});

const quantiles: [string, number[], number, number | null][] = [
  ["nothing at all", [0, 0, 0], 0.5, null],
  ["one statement", [0, 1], 0.99, 2],
  ["half of two", [1, 1], 0.5, 1],
  ["99 of 100", [98, 1, 1], 0.99, 2],
  ["what took longer than the last bound", D1_BUCKETS.map(() => 0).concat(1), 0.5, null],
];
for (const [name, buckets, share, expected] of quantiles) {
  test(`tells how long statements took: ${name}`, () => assert.equal(quantileOf(buckets, share), expected));
}
