import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, WrkstError } from "../errors.js";
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
