import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ErrorCode, WrkstError } from "../errors.js";
import { openEncryptionKey } from "./encryption-key.js";
import { createSealing, withoutSecrets } from "./sealing.js";

const is = (code: ErrorCode) => (error: unknown) => error instanceof WrkstError && error.code === code;
const key = new Uint8Array(32).fill(1);

test("B8: a sealed value opens for its function and name only, with its key only, and whole", () => {
  const sealing = createSealing(key);
  const sealed = sealing.seal("f1", { A: "välue", EMPTY: "" });
  assert.deepEqual(sealing.open("f1", sealed), { A: "välue", EMPTY: "" });
  assert.notEqual(sealing.seal("f1", { A: "välue" }).A, sealed.A);
  assert.throws(() => sealing.open("f2", sealed), is("ERR_CONFIG"));
  assert.throws(() => sealing.open("f1", { B: sealed.A! }), is("ERR_CONFIG"));
  assert.throws(() => sealing.open("f1", { A: sealed.A!.slice(0, -2) }), is("ERR_CONFIG"));
  assert.throws(() => sealing.open("f1", { A: "" }), is("ERR_CONFIG"));
  assert.throws(() => createSealing(new Uint8Array(32)).open("f1", sealed), is("ERR_CONFIG"));
});

test("the longest of several values is taken out of a text first", () => {
  assert.equal(withoutSecrets("key abcdef, key abc", ["abc", "abcdef", ""]), "key [secret], key [secret]");
});

test("B8: the key is made once, in a file of its owner alone, or is the one of the environment", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-key-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const made = await openEncryptionKey({ folder });
  assert.deepEqual(await openEncryptionKey({ folder }), made);
  assert.equal(made.length, 32);
  const file = join(folder, "encryption-key");
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await openEncryptionKey({ folder, text: (await readFile(file, "utf8")).trim() }), made);
  await writeFile(file, "short");
  await assert.rejects(openEncryptionKey({ folder }), is("ERR_CONFIG"));
  assert.notDeepEqual(await openEncryptionKey({ folder, text: "another text of thirty-two letters" }), made);
});
