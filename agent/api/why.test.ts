import assert from "node:assert/strict";
import { test } from "node:test";
import { FUNCTION_STATES } from "../model.js";
import { functionStatus } from "./memory-platform.js";
import { explain } from "./why.js";

const explained = (state: (typeof FUNCTION_STATES)[number]) => {
  const found = { ...functionStatus("hello", { state }), deployments: [], versions: [] };
  return explain({ function: found, holds: [], lastEvent: undefined });
};

test("names a command where one is the next step, and never a request", () => {
  for (const state of FUNCTION_STATES) {
    const { decision, rule, next } = explained(state);
    assert.ok(decision && rule && next, state);
    assert.doesNotMatch(next, /\bPOST\b|\/api\//, state);
  }
  assert.match(explained("quarantined").next, /wrkst resume hello/);
  assert.match(explained("removed").next, /wrkst restore hello/);
});
