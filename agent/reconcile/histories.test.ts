import { test } from "node:test";
import { fc } from "../test-properties.js";
import { checkHistory, histories } from "./testing/histories.js";

test("a function that moves to where the same names lead elsewhere is built again", async () => {
  await checkHistory([
    { kind: "write", name: "a", shared: "x", text: 1 },
    { kind: "move", name: "a", to: "deep/er" },
    { kind: "move", name: "a", to: "fn" },
  ]);
});

test("after every step of a history what serves is a full rebuild, and only what had to be was built", async () => {
  await fc.assert(
    fc.asyncProperty(histories(5), (steps) => checkHistory(steps, "last")),
    { numRuns: 2, endOnFailure: true },
  );
});
