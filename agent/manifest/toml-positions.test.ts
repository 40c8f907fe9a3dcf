import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "smol-toml";
import { fc, runs } from "../test-properties.js";
import { locateTomlKeys, type Path, pathKey } from "./toml-positions.js";

const places: [what: string, text: string, path: Path, at: string][] = [
  ["a key", "a = 1\nb = 2", ["b"], "b = 2"],
  ["a key below a table", "[t]\na = 1", ["t", "a"], "a = 1"],
  ["a table", "x = 1\n[t.u]\na = 1", ["t", "u"], "u]"],
  ["a dotted key", "a.b.c = 1", ["a", "b", "c"], "c = 1"],
  ["a quoted key", `"a b".'c' = 1`, ["a b", "c"], "'c' = 1"],
  ["an escaped key", '"\\u0061" = 1', ["a"], '"\\u0061"'],
  ["a key with a dot", '"a.b" = 1', ["a.b"], '"a.b"'],
  ["an element of an array of tables", "[[t]]\na = 1\n[[t]]\na = 2", ["t", 1, "a"], "a = 2"],
  ["a table below an array of tables", "[[t]]\n[[t]]\n[t.u]\na = 1", ["t", 1, "u", "a"], "a = 1"],
  ["an array below an array of tables", "[[t]]\n[[t.u]]\n[[t.u]]\na = 1", ["t", 0, "u", 1, "a"], "a = 1"],
  ["an element of an array", "a = [1, # one ]\n 2, 3]", ["a", 1], "2, 3"],
  ["a key of an inline table", "a = { b = 1, c = { d = 2 } }", ["a", "c", "d"], "d = 2"],
  ["a key after a string with quotes", 'a = "\\"b = 1"\nb = 2', ["b"], "b = 2"],
  ["a key after a long string", 'a = """\nb = 1\n"quoted""""\nb = 2', ["b"], "b = 2"],
  ["a key after a literal string", "a = 'C:\\'\nb = 2", ["b"], "b = 2"],
  ["a key after a comment", "# b = 1\r\nb = 2", ["b"], "b = 2"],
  ["a key after a date", "a = 2026-11-01 07:32:00\nb = 2", ["b"], "b = 2"],
];

for (const [what, text, path, at] of places) {
  test(`finds ${what}`, () => {
    const offset = locateTomlKeys(text).get(pathKey(path));
    assert.notEqual(offset, undefined);
    assert.equal(text.slice(offset).startsWith(at), true, text.slice(offset));
  });
}

test("finds every key of any document", () => {
  const key = fc.oneof(
    fc.constantFrom("a", "b-c", "d e", "f.g", 'h"i', "#", "="),
    fc.string({ minLength: 1, maxLength: 5 }),
  );
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constantFrom("]", "}", '"', "'''", "\n[x]\n"));
  const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
    table: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    value: fc.oneof(
      { maxDepth: 3 },
      scalar,
      fc.array(scalar, { maxLength: 3 }),
      tie("table"),
      fc.array(tie("table"), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(table, (value) => {
      const text = stringify(value);
      const offsets = locateTomlKeys(text);
      for (const path of pathsOf(value, []))
        assert.ok(offsets.has(pathKey(path)), `${JSON.stringify(path)} in\n${text}`);
    }),
    { numRuns: runs(1000) },
  );
});

test("ends for any text", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(..."[]{}=.,\"'\\#\n ab1"), { maxLength: 40 }), (characters) => {
      locateTomlKeys(characters.join(""));
    }),
    { numRuns: runs(5000) },
  );
});

function pathsOf(value: unknown, path: Path): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const members = Array.isArray(value) ? value.map((item, index) => [index, item] as const) : Object.entries(value);
  return [...(path.length ? [path] : []), ...members.flatMap(([key, item]) => pathsOf(item, [...path, key]))];
}
