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

test("recent figures are those of the last requests, and what failed long ago is not among them", () => {
  const figures = createFigures(10);
  const watched = figures.of("hello", "a");
  for (let request = 0; request < 35; request++) figures.answered(watched, request < 10 ? 500 : 200, 1);
  const { total, recent } = figures.read(["hello"]).hello!.a!;
  assert.deepEqual([total.requests, total.failures], [35, 10]);
  assert.deepEqual([recent.requests, recent.failures, recent.buckets[0]], [15, 0, 15]);
});
