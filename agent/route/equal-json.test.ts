import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { fc } from "../test-properties.js";
import { isEqualJson } from "./equal-json.js";

const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)));

test("two JSON values are equal exactly where Node says so", () => {
  fc.assert(fc.property(json, json, (a, b) => isEqualJson(a, b) === isDeepStrictEqual(a, b)));
  fc.assert(fc.property(json, (a) => isEqualJson(a, structuredClone(a))));
});

test("a list and an object, null and an object, a missing key and an undefined one are told apart", () => {
  assert.equal(isEqualJson([], {}), false);
  assert.equal(isEqualJson(null, {}), false);
  assert.equal(isEqualJson({ a: 1, b: 2 }, { a: 1, c: 2 }), false);
  assert.equal(isEqualJson({ toString: 1 }, {}), false);
});
