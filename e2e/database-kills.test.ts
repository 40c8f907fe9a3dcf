import assert from "node:assert/strict";
import { test } from "node:test";
import { surviveKills } from "./database-kills.js";

test("D2: after kill -9 of the runtime nothing that a database acknowledged is missing, and nothing is torn", async (t) => {
  const { acknowledged, kept } = await surviveKills(t, 3);
  assert.ok(acknowledged > 0 && kept >= acknowledged);
});
