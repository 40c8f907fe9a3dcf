import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, WrkstError } from "../../errors.js";
import { problemOf } from "../problem.js";
import { envelopeOf, pageOf } from "./envelope.js";
import { knowsHosts } from "./upload.js";

interface Shaped {
  success: boolean;
  errors: { code: number; message: string }[];
  messages: { message: string }[];
}
const shaped = (error: Error) => envelopeOf(problemOf(error, "request-1")) as Shaped;

const numbers: [ErrorCode, number][] = [
  ["ERR_UNAUTHORIZED", 2006],
  ["ERR_FORBIDDEN", 2007],
  ["ERR_NOT_FOUND", 10007],
  ["ERR_NO_ROUTE", 7003],
  ["ERR_VERSION_NOT_FOUND", 1003],
  ["ERR_LOAD", 10021],
  ["ERR_TOO_LARGE", 10027],
  ["ERR_SPLIT", 10215],
  ["ERR_SECRETS_CHANGED", 10220],
];
for (const [code, number] of numbers) {
  test(`gives ${code} the number ${number} that clients decide by`, () => {
    const { success, errors, messages } = shaped(new WrkstError(code, "what it is", { hint: "what to do" }));
    assert.deepEqual([success, errors.length, errors[0]?.code, errors[0]?.message], [false, 1, number, "what it is"]);
    assert.equal(messages[0]?.message, "what to do");
  });
}

test("makes of a failed inheritance one error for each name, in the words that clients look for", () => {
  const { errors } = shaped(
    new WrkstError("ERR_INHERIT", "inherit binding 'A' is invalid; inherit binding 'B' is invalid"),
  );
  assert.deepEqual(
    errors.map(({ code, message }) => [code, message]),
    [
      [10057, "inherit binding 'A' is invalid"],
      [10057, "inherit binding 'B' is invalid"],
    ],
  );
});

test("shows the place of an error, and nothing of one that was not foreseen (B5)", () => {
  const position = { file: "src/index.js", line: 2, column: 3 };
  assert.equal(shaped(new WrkstError("ERR_LOAD", "boom", { position })).errors[0]?.message, "src/index.js:2:3: boom");
  assert.doesNotMatch(JSON.stringify(shaped(new TypeError("canary /srv/x"))), /canary/);
});

test("pages, and is empty past the end, where some clients stop", () => {
  const all = [1, 2, 3];
  assert.deepEqual(pageOf(all, { page: "2", per_page: "2" }).items, [3]);
  assert.deepEqual(pageOf(all, { page: "3", per_page: "2" }).items, []);
  assert.deepEqual(pageOf(all, { page: "x", per_page: "-1" }).items, all);
  assert.deepEqual(pageOf(all, {}).info, { page: 1, per_page: 50, count: 3, total_count: 3 });
});

test("knows which releases of wrangler print hosts that the server names", () => {
  assert.deepEqual(["wrangler/4.86.0", "wrangler/4.164.0", "wrangler/5.0.0", "curl/8", undefined].map(knowsHosts), [
    ...[false, true, true, true, true],
  ]);
});
