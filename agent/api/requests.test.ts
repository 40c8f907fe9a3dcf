import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { parseJson } from "./requests.js";

const read = (text: string) => parseJson(z.unknown(), Buffer.from(text));

for (const [what, text] of [
  ["quotes in a string without end", `"${'\\"'.repeat(2 ** 19)}`],
  ["backslashes in a string without end", `"${"\\".repeat(2 ** 20 - 1)}`],
  ["strings, the last of them without end", `${'"a"'.repeat(2 ** 18)}"`],
] as const) {
  test(`a body of ${what} is refused at once (SECURITY B2)`, () => {
    assert.throws(() => read(text), { code: "ERR_INVALID", message: "body: expected JSON" });
  });
}

test("brackets count outside of strings only, whatever is escaped in them", () => {
  const inString = `["${"[".repeat(100)}\\"${"{".repeat(100)}\\\\", 1]`;
  assert.deepEqual(read(inString), JSON.parse(inString));
  const deep = `["\\\\", ${"[".repeat(64)}${"]".repeat(64)}]`;
  assert.throws(() => read(deep), { code: "ERR_INVALID", message: "body: expected JSON of at most 64 levels" });
});
