// One suite for four targets: what is written for Cloudflare D1 finds the same here. Differences are listed with their reasons.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "./cases.js";
import { differences } from "./differences.js";
import { type Target, targets } from "./targets.js";

for (const [target, start] of Object.entries(targets)) {
  test(`D1 on ${target} is as the cases say, but for the differences that are listed`, async (t) => {
    const run = await start(t);
    const listed = differences[target as Target] ?? {};
    for (const [index, { name, gives }] of cases.entries()) {
      await t.test(name, async () => assert.deepEqual(await run(index), listed[name] ?? { gave: gives }));
    }
    const unknown = Object.keys(listed).filter((name) => !cases.some((one) => one.name === name));
    assert.deepEqual(unknown, []);
  });
}
