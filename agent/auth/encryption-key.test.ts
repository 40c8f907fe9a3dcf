import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openEncryptionKey } from "./encryption-key.js";

test("B8: the key is made once, in a file of its owner alone, or is the one of the environment", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-key-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const made = await openEncryptionKey(folder, undefined);
  assert.deepEqual(await openEncryptionKey(folder, undefined), made);
  assert.equal(made.length, 32);
  const file = join(folder, "encryption-key");
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await openEncryptionKey(folder, (await readFile(file, "utf8")).trim()), made);
  await writeFile(file, "short");
  await assert.rejects(openEncryptionKey(folder, undefined), { code: "ERR_CONFIG" });
  assert.notDeepEqual(await openEncryptionKey(folder, "another text of thirty-two letters"), made);
});
