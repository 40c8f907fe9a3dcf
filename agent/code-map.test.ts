import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = new URL("../..", import.meta.url).pathname;

/** Rows of the code map: folder, and the files named under "begin with". */
function codeMap(): { folder: string; files: string[] }[] {
  const text = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
  return [...text.matchAll(/^\| `([\w/.-]+\/)` \| .* \| (.*) \|$/gm)].map(([, folder = "", begin = ""]) => ({
    folder,
    files: [...begin.matchAll(/`([\w./-]+\.\w+)`/g)].map(([, file = ""]) => file),
  }));
}

test("the code map names folders and files that are there", () => {
  const rows = codeMap();
  assert.ok(rows.length > 10);
  for (const { folder, files } of rows) {
    assert.ok(statSync(join(ROOT, folder), { throwIfNoEntry: false })?.isDirectory(), folder);
    for (const file of files) assert.ok(statSync(join(ROOT, folder, file), { throwIfNoEntry: false }), folder + file);
  }
});

test("the code map names every folder of code", () => {
  const named = new Set(codeMap().map(({ folder }) => folder));
  const concerns = readdirSync(join(ROOT, "agent"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `agent/${entry.name}/`);
  for (const folder of [...concerns, "runtime/", "cli/", "d1/", "e2e/", "bench/", "scripts/", "examples/"]) {
    assert.ok(named.has(folder), folder);
  }
});
