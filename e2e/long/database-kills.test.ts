import assert from "node:assert/strict";
import { test } from "node:test";
import { surviveKills } from "../database-kills.js";

test("D2: after 20 kills of the runtime at random moments nothing that a database acknowledged is missing, and nothing is torn", async (t) => {
  const { acknowledged, kept } = await surviveKills(t, 20);
  t.diagnostic(`${acknowledged} writes were acknowledged, ${kept} kept`);
  assert.ok(acknowledged > 0 && kept >= acknowledged);
});
