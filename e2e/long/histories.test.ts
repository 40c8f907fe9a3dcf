import { test } from "node:test";
import { checkHistory, histories } from "../../agent/reconcile/testing/histories.js";
import { fc } from "../../agent/test-properties.js";

test("after every step of many long histories what serves is a full rebuild, and only what had to be was built", async () => {
  await fc.assert(
    fc.asyncProperty(histories(15), (steps) => checkHistory(steps)),
    { numRuns: 12 },
  );
});
