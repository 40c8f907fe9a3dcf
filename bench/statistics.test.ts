// The figures are only as good as this arithmetic.
import assert from "node:assert/strict";
import test from "node:test";
import { fc } from "../agent/test-properties.js";
import { percentile, ratios, summarize } from "./statistics.js";

const CASES: [string, number[], number, number][] = [
  ["the median of an odd count is its middle", [9, 1, 5], 0.5, 5],
  ["the median of an even count lies between the middle two", [4, 1, 2, 3], 0.5, 2.5],
  ["the ends are the least and the greatest", [3, 1, 2], 1, 3],
  ["one sample is every percentile", [7], 0.99, 7],
  ["the 99th percentile of 101 samples is the last but one", Array.from({ length: 101 }, (_, i) => i), 0.99, 99],
  ["numbers are compared as numbers", [10, 9, 100], 0.5, 10],
];
for (const [name, samples, share, expected] of CASES) {
  test(name, () => assert.equal(percentile(samples, share), expected));
}

test("lies between the least and the greatest sample, whatever the order", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (samples) => {
      const { min, median, p99, max } = summarize(samples);
      assert.ok(min <= median && median <= p99 && p99 <= max);
      assert.deepEqual(summarize(samples.toReversed()), summarize(samples));
    }),
  );
});

test("compares each round with the same round of the peer", () => {
  assert.deepEqual(ratios([2, 9], [1, 3]), [2, 3]);
});

test("refuses to compare what was not measured", () => {
  assert.throws(() => summarize([]), RangeError);
  assert.throws(() => ratios([1], []), RangeError);
});
