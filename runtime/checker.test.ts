// The checker in a real workerd: what loads, and what is said about what does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startChecker } from "./testing/workerd.js";

test("names the entry points of a version that loads", async (t) => {
  const checker = await startChecker(t);
  const result = await checker.check(`export default { fetch() {} }`);
  assert.equal(result.ok, true);
  assert.deepEqual(result.ok && result.entrypoints, ["default"]);
});
