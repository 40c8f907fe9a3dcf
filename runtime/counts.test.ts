import assert from "node:assert/strict";
import { test } from "node:test";
import { createCounts } from "./counts.js";
import { UNNAMED } from "./wire.js";

test("counts answers by the class of their status, and how long all took", () => {
  const counts = createCounts();
  const answers = counts.of("hello");
  for (const [status, milliseconds] of [
    [200, 0],
    [204, 3],
    [101, 1],
    [599, 40_000],
  ] as const) {
    counts.answered(answers, status, milliseconds);
  }
  counts.refused(answers);
  const { functions, buckets, milliseconds } = counts.read(() => true);
  assert.deepEqual(functions.hello, [1, 2, 0, 0, 2]);
  assert.deepEqual([buckets[0], buckets[2], buckets.at(-1), milliseconds], [2, 1, 1, 40_004]);
});

test("counts functions beyond the limit as one, and makes room when others are routed no longer", () => {
  const counts = createCounts(2);
  for (const name of ["a", "b", "c", "d"]) counts.answered(counts.of(name), 200, 1);
  const routed = (name: string) => name !== "a";
  assert.deepEqual(counts.read(routed).functions, {
    a: [0, 1, 0, 0, 0],
    b: [0, 1, 0, 0, 0],
    [UNNAMED]: [0, 2, 0, 0, 0],
  });
  counts.answered(counts.of("e"), 200, 1);
  assert.deepEqual(Object.keys(counts.read(routed).functions), ["b", "e", UNNAMED]);
});
