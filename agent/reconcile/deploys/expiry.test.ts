import assert from "node:assert/strict";
import { test } from "node:test";
import { createExpiry } from "./expiry.js";

test("a hold that is made at the very end of a look is looked at too", async () => {
  const log = { warn: () => assert.fail("nothing fails") };
  // Each round the call comes some steps later: one of them is the last moment of the look before.
  for (let steps = 0; steps < 12; steps++) {
    let looks = 0;
    const expiry = createExpiry(async () => void looks++, log);
    expiry.look();
    for (let step = 0; step < steps; step++) await Promise.resolve();
    const before = looks;
    expiry.look();
    await new Promise(setImmediate);
    assert.ok(looks > before, `not after ${steps} steps`);
    await expiry.close();
  }
});
