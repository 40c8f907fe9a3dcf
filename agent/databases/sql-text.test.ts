import assert from "node:assert/strict";
import { test } from "node:test";
import { createSplitter, firstWordFrom, placeOf } from "./sql-text.js";

function split(text: string, size = text.length): string[] {
  const splitter = createSplitter();
  const statements = [];
  for (let at = 0; at < text.length; at += size) statements.push(...splitter.push(text.slice(at, at + size)));
  return [...statements, ...splitter.end()].map((statement) => statement.text.trim());
}

const TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = 1; DELETE FROM b; END;";
const texts: [string, string, string[]][] = [
  ["statements", "SELECT 1; SELECT 2;", ["SELECT 1;", "SELECT 2;"]],
  ["a last one without its semicolon", "SELECT 1;\nSELECT 2", ["SELECT 1;", "SELECT 2"]],
  [
    "semicolons in strings, names and comments",
    `SELECT ';''', ";", [;], \`;\`; -- ;\n/* ; */ SELECT 2;`,
    [`SELECT ';''', ";", [;], \`;\`;`, "-- ;\n/* ; */ SELECT 2;"],
  ],
  ["triggers as one", `${TRIGGER} SELECT 1;`, [TRIGGER, "SELECT 1;"]],
  ["temporary triggers as one", TRIGGER.replace("CREATE", "create temp"), [TRIGGER.replace("CREATE", "create temp")]],
  [
    "a table that is called like a keyword",
    "CREATE TABLE end_trigger (x); SELECT 1;",
    ["CREATE TABLE end_trigger (x);", "SELECT 1;"],
  ],
  ["nothing in what is only a comment", "SELECT 1; -- done\n", ["SELECT 1;"]],
  ["a string that never ends", "SELECT 'a; b", ["SELECT 'a; b"]],
];

for (const [what, text, expected] of texts) {
  test(`finds ${what}`, () => assert.deepEqual(split(text), expected));
  test(`finds ${what}, whatever the parts that the text comes in`, () => {
    for (const size of [1, 2, 3, 7]) assert.deepEqual(split(text, size), expected);
  });
}

test("says on which line a statement begins", () => {
  const splitter = createSplitter();
  const statements = [...splitter.push("SELECT 1;\n\nSELECT"), ...splitter.push("\n2;\nSELECT 3;")];
  assert.deepEqual(
    statements.map(({ line, text }) => line + text.length - text.trimStart().length),
    [1, 3, 5],
  );
});

test("a place counts lines and columns from 1, and the first word is found behind comments", () => {
  const text = "SELECT 1;\n-- why\n  SELECT 2;";
  const offset = firstWordFrom(text, 9) ?? 0;
  assert.equal(firstWordFrom("-- nothing\n ; /* at all */", 0), undefined);
  assert.equal(text.slice(offset), "SELECT 2;");
  assert.deepEqual(placeOf(text, offset), { line: 3, column: 3 });
});
