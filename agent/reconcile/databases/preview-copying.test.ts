// When a copy of a preview is to be made anew: decided by what was applied to it and what is brought now.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { changedOf } from "./preview-copying.js";

const brought = (files: Record<string, string>, table = "d1_migrations", bringer = "shop") => {
  const migrations = Object.entries(files).map(([name, sql]) => ({ name, sql }));
  return [{ function: bringer, set: { binding: "DB", folder: "shop/migrations", table, migrations } }];
};
const applied = Object.entries({ "1.sql": "one", "2.sql": "two" }).map(([name, sql]) => {
  const digest = createHash("sha256").update(sql).digest("hex");
  return { function: "shop", table: "d1_migrations", name, digest };
});

const CASES: [string, ReturnType<typeof brought>, string[], string[]][] = [
  ["files that were added change nothing", brought({ "1.sql": "one", "2.sql": "two", "3.sql": "three" }), [], []],
  ["a file that was changed does", brought({ "1.sql": "one", "2.sql": "other" }), [], ["2.sql"]],
  ["a file that was removed does", brought({ "2.sql": "two" }), [], ["1.sql"]],
  ["another table does", brought({ "1.sql": "one", "2.sql": "two" }, "other"), [], ["1.sql", "2.sql"]],
  ["a function that is there no more does", [], [], ["1.sql", "2.sql"]],
  ["a function that failed to build does not", [], ["shop"], []],
];
for (const [name, now, unknown, expected] of CASES) {
  test(`what was applied to a copy: ${name}`, () => {
    assert.deepEqual(changedOf(applied, { brought: now }, new Set(unknown)), expected);
  });
}
