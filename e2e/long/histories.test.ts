import { test } from "node:test";
import fc from "fast-check";
import { checkHistory, histories } from "../../agent/reconcile/testing/histories.js";

test("after every step of many long histories what serves is a full rebuild, and only what had to be was built", async () => {
  await fc.assert(
    fc.asyncProperty(histories(15), (steps) => checkHistory(steps)),
    { numRuns: 60 },
  );
});
