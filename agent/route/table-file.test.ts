import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { RouteTable } from "../../runtime/wire.js";
import { readRouteTable, writeRouteTable } from "./table-file.js";

const root = await mkdtemp(join(tmpdir(), "wrkst-routes-"));
after(() => rm(root, { recursive: true, force: true }));
const newDir = () => mkdtemp(join(root, "routes-"));

const table: RouteTable = {
  generation: 3,
  functions: { hello: { latest: null, aliases: {}, versions: {}, history: [], hosts: [] } },
  revisions: [{ seq: 1, commit: "a".repeat(40) }],
};

test("a table that was written is read back, into a folder that need not exist", async () => {
  const dir = join(await newDir(), "routes");
  await writeRouteTable(dir, { ...table, generation: 1 });
  await writeRouteTable(dir, table);
  assert.deepEqual(await readRouteTable(dir), table);
  assert.deepEqual(await readdir(dir), ["table.json"]);
});

const unusable: [string, string][] = [
  ["nothing", ""],
  ["half a table", JSON.stringify(table).slice(0, 40)],
  ["something else", "[]"],
  ["no generation", JSON.stringify({ ...table, generation: undefined })],
  ["no functions", JSON.stringify({ ...table, functions: null })],
  ["an entry that is none", JSON.stringify({ ...table, functions: { a: { latest: 1 } } })],
  ["a revision that is none", JSON.stringify({ ...table, revisions: [{ seq: "1" }] })],
];
for (const [name, text] of unusable) {
  test(`a file with ${name} counts as missing`, async () => {
    const dir = await newDir();
    await writeFile(join(dir, "table.json"), text);
    assert.equal(await readRouteTable(dir), undefined);
  });
}

test("a missing file or folder is no error", async () => {
  assert.equal(await readRouteTable(join(await newDir(), "nowhere")), undefined);
});

test("what an interrupted write left is removed, and the table before it is used", async () => {
  const dir = await newDir();
  await writeRouteTable(dir, table);
  await writeFile(join(dir, ".table-x.tmp"), "{");
  assert.deepEqual(await readRouteTable(dir), table);
  assert.deepEqual(await readdir(dir), ["table.json"]);
});

test("readers beside many writers see whole tables only", async () => {
  const dir = await newDir();
  await writeRouteTable(dir, table);
  const writes = Array.from({ length: 30 }, (_, generation) => writeRouteTable(dir, { ...table, generation }));
  let writing = true;
  const done = Promise.all(writes).finally(() => {
    writing = false;
  });
  while (writing) assert.ok(await peek(dir));
  await done;
});

/** Reads without tidying, as the router does. */
async function peek(dir: string): Promise<unknown> {
  return JSON.parse(await readFile(join(dir, "table.json"), "utf8"));
}

test("a folder that cannot be written is a clear error", async () => {
  const file = join(await newDir(), "file");
  await writeFile(file, "");
  await assert.rejects(writeRouteTable(join(file, "routes"), table), { code: "ERR_STORE" });
});
