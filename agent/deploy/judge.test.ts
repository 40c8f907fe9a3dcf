import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FIGURE_BUCKETS } from "../../runtime/wire.js";
import { AUTO_ROLLBACK, type Figures } from "../model.js";
import { judge } from "./judge.js";

const LENGTH = FIGURE_BUCKETS.length + 1;

/** So many requests of which so many failed, all of them in one bucket of time. */
function figures(requests: number, failures: number, milliseconds = 5): Figures {
  const buckets = new Array<number>(LENGTH).fill(0);
  buckets[bucketOf(milliseconds)] = requests;
  return { requests, failures, buckets };
}

function bucketOf(milliseconds: number): number {
  const found = FIGURE_BUCKETS.findIndex((bound) => milliseconds <= bound);
  return found < 0 ? LENGTH - 1 : found;
}

const cases: [name: string, before: Figures | null, tried: Figures, verdict: RegExp | undefined][] = [
  ["half of the requests fail", figures(500, 0), figures(60, 34), /^34 of 60 requests failed, 0 of 500 before$/],
  ["one unlucky request", figures(500, 0), figures(100, 1), undefined],
  ["a few more than before", figures(1_000, 50), figures(100, 9), undefined],
  ["as many as before, which are many", figures(200, 150), figures(200, 160), undefined],
  ["too few requests", figures(500, 0), figures(19, 19), undefined],
  ["most fail and nothing is known of before", null, figures(20, 20), /20 of 20 .* nothing is known/],
  ["most fail, and too little is known of before", figures(5, 0), figures(30, 28), /28 of 30/],
  ["some fail and nothing is known of before", null, figures(100, 40), undefined],
  ["all take ten times as long", figures(500, 0, 40), figures(60, 0, 500), /^60 of 60 requests took more than \d+ ms/],
  ["all take ten times as long, and it is nothing", figures(500, 0, 1), figures(60, 0, 10), undefined],
  ["all take half as long again", figures(500, 0, 200), figures(60, 0, 300), undefined],
  ["all took very long before", figures(500, 0, 40_000), figures(60, 0, 40_000), undefined],
];

for (const [name, before, tried, verdict] of cases) {
  test(`a version is ${verdict ? "worse" : "not worse"} where ${name}`, () => {
    const found = judge(before, tried, AUTO_ROLLBACK);
    if (verdict) assert.match(found ?? "", verdict);
    else assert.equal(found, undefined);
  });
}

test("time does not count where the function says so, and its margin of failures is its own", () => {
  assert.equal(judge(figures(500, 0, 40), figures(60, 0, 500), { ...AUTO_ROLLBACK, latency: 0 }), undefined);
  assert.equal(judge(figures(500, 0), figures(60, 34), { ...AUTO_ROLLBACK, failures: 60 }), undefined);
});

test("more failures among as many requests never make a version better, and no figures make it throw", () => {
  const number = fc.oneof(fc.nat(2_000), fc.constantFrom(0, -1, Number.NaN, Infinity));
  const any = fc.record({ requests: number, failures: number, buckets: fc.array(number, { maxLength: LENGTH }) });
  fc.assert(
    fc.property(fc.option(any), any, fc.nat(500), (before, tried, more) => {
      const worse = judge(before, tried, AUTO_ROLLBACK);
      const failures = Math.min(tried.requests, tried.failures + more);
      if (worse === undefined || !(failures >= tried.failures)) return;
      assert.notEqual(judge(before, { ...tried, failures }, AUTO_ROLLBACK), undefined);
    }),
    { seed: 5, numRuns: 2_000 },
  );
});

test("a version that is as good as the one before is never found worse, however often one looks", () => {
  const random = generator(7);
  const add = (sums: Figures, rate: number) => {
    sums.requests++;
    if (random() < rate) sums.failures++;
    sums.buckets[bucketOf(40 * Math.exp(2 * (random() + random() - 1)))]!++;
  };
  let wrong = 0;
  for (const rate of [0, 0.01, 0.2, 0.6]) {
    for (let run = 0; run < 100; run++) {
      const [before, tried] = [figures(0, 0), figures(0, 0)];
      for (let request = 0; request < 200; request++) add(before, rate);
      let verdict: string | undefined;
      for (let request = 0; request < 500 && verdict === undefined; request++) {
        add(tried, rate);
        if (request % 5 === 0) verdict = judge(before, tried, AUTO_ROLLBACK);
      }
      if (verdict !== undefined) wrong++;
    }
  }
  assert.equal(wrong, 0);
});

/** Numbers from 0 to 1, the same ones for the same seed: mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
