import assert from "node:assert/strict";
import { test } from "node:test";
import { staleSince } from "./staleness.js";

test("a source is stale after ten intervals without a successful fetch, or ten hours where it has none", () => {
  const at = new Date(0).toISOString();
  assert.equal(staleSince(at, 10_000, 100_000), undefined);
  assert.equal(staleSince(at, 10_000, 100_001), at);
  for (const none of [null, 0]) {
    assert.equal(staleSince(at, none, 36_000_000), undefined);
    assert.equal(staleSince(at, none, 36_000_001), at);
  }
  assert.equal(staleSince(null, 10_000, 1e12), undefined);
});
