import assert from "node:assert/strict";
import { test } from "node:test";
import { createBookmarks } from "./bookmarks.js";

test("bookmarks sort in the order in which they were given, within a millisecond too", () => {
  let time = 1_700_000_000_000;
  const next = createBookmarks(() => time);
  const given = [next("first-primary"), next("first-unconstrained"), next("x")];
  time++;
  given.push(next(""));
  assert.deepEqual([...given].sort(), given);
  assert.equal(new Set(given).size, 4);
});

test("a bookmark never goes back: not when the clock does, and not over a restart", () => {
  let time = 2_000_000;
  const first = createBookmarks(() => time);
  const before = first("");
  time = 1_000_000;
  const after = first(before);
  assert.ok(after > before);
  assert.ok(createBookmarks(() => time)(after) >= after);
});
