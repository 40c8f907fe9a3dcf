import assert from "node:assert/strict";
import { test } from "node:test";
import { createFigures } from "./figures.js";
import { FIGURE_BUCKETS } from "./wire.js";

test("counts requests, failures and times of a version, and forgets versions that are watched no longer", () => {
  const figures = createFigures();
  for (const [status, milliseconds] of [
    [200, 0],
    [404, 2],
    [500, 5],
    [502, 40_000],
  ] as const) {
    figures.answered(figures.of("hello", "a"), status, milliseconds);
  }
  const { total, recent } = figures.read(["hello"]).hello!.a!;
  assert.deepEqual([total.requests, total.failures], [4, 2]);
  const times = total.buckets.flatMap((count, index) => (count ? [FIGURE_BUCKETS[index] ?? Infinity] : []));
  assert.deepEqual(times, [1, 2, 6, Infinity]);
  assert.deepEqual(recent, total);
  figures.of("hello", "b");
  figures.keep("hello", ["b"]);
  assert.deepEqual(Object.keys(figures.read(["hello"]).hello!), ["b"]);
  figures.keepAll(() => []);
  assert.deepEqual(figures.read(["hello", "other"]), { hello: {}, other: {} });
});

test("a request without an answer is a failure after half a minute, and is one no more once it was answered", () => {
  let time = 1_000_000;
  const figures = createFigures({ now: () => time });
  const watched = figures.of("hello", "a");
  const later = (milliseconds: number) => {
    time += milliseconds;
    const { total, recent } = figures.read(["hello"]).hello!.a!;
    assert.deepEqual(recent, total);
    return [total.requests, total.failures, total.buckets.at(-1)];
  };
  const begun = [figures.began(watched), figures.began(watched)];
  assert.deepEqual(later(0), [0, 0, 0], "begun before the first look");
  figures.ended(watched, figures.began(watched));
  assert.deepEqual(later(29_000), [0, 0, 0]);
  begun.push(figures.began(watched));
  assert.deepEqual([later(2_000), later(28_000)], Array(2).fill([2, 2, 2]));
  for (const turn of begun) figures.ended(watched, turn);
  figures.answered(watched, 200, 62_000);
  assert.deepEqual(later(0), [1, 0, 1]);
  assert.deepEqual(later(30_000), [1, 0, 1]);
  const unread = figures.began(watched);
  assert.deepEqual([later(90_000), later(30_000), later(30_000)], Array(3).fill([1, 0, 1]), "nobody read meanwhile");
  figures.ended(watched, unread);
  assert.deepEqual(watched.open, [0, 0, 0]);
});

test("recent figures are those of the last requests, and what failed long ago is not among them", () => {
  const figures = createFigures({ span: 10 });
  const watched = figures.of("hello", "a");
  for (let request = 0; request < 35; request++) figures.answered(watched, request < 10 ? 500 : 200, 1);
  const { total, recent } = figures.read(["hello"]).hello!.a!;
  assert.deepEqual([total.requests, total.failures], [35, 10]);
  assert.deepEqual([recent.requests, recent.failures, recent.buckets[0]], [15, 0, 15]);
});
