import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurns } from "./turns.js";

test("no more than the limit are under way, all are done in the order of their calls, and failures free their place", async () => {
  let underWay = 0;
  let most = 0;
  const begun: number[] = [];
  const work = inTurns(3, async (number: number) => {
    begun.push(number);
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    if (number % 4 === 0) throw new Error(String(number));
    return number;
  });
  const numbers = Array.from({ length: 20 }, (_, index) => index);
  const results = await Promise.allSettled(numbers.map(work));
  assert.equal(most, 3);
  assert.deepEqual(begun, numbers);
  for (const [number, result] of results.entries()) {
    assert.equal(result.status, number % 4 === 0 ? "rejected" : "fulfilled");
  }
  assert.equal(await work(21), 21);
});

test("a work that never ends holds up the next for a while only", async () => {
  const work = inTurns(1, (isEndless: boolean) => (isEndless ? new Promise(() => {}) : Promise.resolve("done")), 20);
  void work(true);
  assert.deepEqual(await Promise.all([work(false), work(false)]), ["done", "done"]);
});
