import assert from "node:assert/strict";
import { test } from "node:test";
import { createFunctionTotals } from "./functions.js";
import { processCounts } from "./test-metrics.js";

test("names at most so many functions, however many answer", async () => {
  const totals = createFunctionTotals(10);
  const names = Array.from({ length: 50 }, (_, number) => `fn-${number}`);
  const functions = Object.fromEntries(names.map((name) => [name, [0, 1, 0, 0, 0]]));
  totals.add([processCounts({ functions })]);
  const [requests] = totals.families({ names: new Set(names), isUp: true });
  assert.equal(requests!.samples.length, 11);
  const unnamed = requests!.samples.find(({ labels }) => labels?.function === "_other");
  assert.equal(unnamed?.value, 40);
});
