import { test } from "node:test";
import fc from "fast-check";
import { checkHistory, histories } from "./testing/histories.js";

test("after every step of a history what serves is a full rebuild, and only what had to be was built", async () => {
  await fc.assert(
    fc.asyncProperty(histories(5), (steps) => checkHistory(steps, "last")),
    { numRuns: 2, endOnFailure: true },
  );
});
