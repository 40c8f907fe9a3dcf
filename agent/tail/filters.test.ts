import assert from "node:assert/strict";
import { test } from "node:test";
import type { TailEvent } from "../model.js";
import { parseFilters, passes } from "./filters.js";
import { tailEvent } from "./testing.js";

const SEEN = tailEvent({
  outcome: "exception",
  logs: [{ level: "log", timestamp: 1, message: ["asked for", { fruit: "pear" }] }],
  exceptions: [{ name: "TypeError", message: "no luck", timestamp: 1 }],
});
const NO_REQUEST = { ...SEEN, event: null };

const TABLE: [name: string, filter: object, event: TailEvent, expected: boolean][] = [
  ["an outcome that is listed", { outcome: ["ok", "exception"] }, SEEN, true],
  ["an outcome that is not", { outcome: ["ok"] }, SEEN, false],
  ["a method, in any case", { method: ["post", "get"] }, SEEN, true],
  ["another method", { method: ["DELETE"] }, SEEN, false],
  ["a method where there is no request", { method: ["GET"] }, NO_REQUEST, false],
  ["a header that is there", { header: { key: "X-Color" } }, SEEN, true],
  ["a header that holds the text", { header: { key: "x-color", query: "lue" } }, SEEN, true],
  ["a header that does not", { header: { key: "x-color", query: "red" } }, SEEN, false],
  ["a header that is not there", { header: { key: "x-shape" } }, SEEN, false],
  ["the client's address", { client_ip: ["192.0.2.7"] }, SEEN, true],
  ["another address", { client_ip: ["192.0.2.8"] }, SEEN, false],
  ["self, from the same address", { client_ip: ["self"] }, SEEN, true],
  ["a text in a log", { query: "asked" }, SEEN, true],
  ["a text in an object that was logged", { query: "pear" }, SEEN, true],
  ["a text in an exception", { query: "no luck" }, SEEN, true],
  ["a text nowhere", { query: "plum" }, SEEN, false],
  ["the version", { scriptVersion: SEEN.scriptVersion.id }, SEEN, true],
  ["another version", { scriptVersion: "22222222-0000-8000-8000-000000000000" }, SEEN, false],
  ["a rate above chance", { sampling_rate: 0.6 }, SEEN, true],
  ["a rate below chance", { sampling_rate: 0.4 }, SEEN, false],
];

for (const [name, filter, event, expected] of TABLE) {
  test(`${expected ? "lets through" : "holds back"} ${name}`, () => {
    assert.equal(passes(event, parseFilters([filter]), { self: "192.0.2.7", chance: () => 0.5 }), expected);
  });
}

test("all filters must hold, and none is held by nothing", () => {
  const both = parseFilters([{ method: ["GET"] }, { outcome: ["ok"] }]);
  assert.equal(passes(SEEN, both, { self: "", chance: () => 0 }), false);
  assert.deepEqual(parseFilters(undefined), []);
  assert.deepEqual(parseFilters([{ header: { key: "a", query: null } }]), [{ header: { key: "a" } }]);
});

test("refuses filters of another shape, and too many of them", () => {
  const wrong = [
    ...["text", 1, {}, [1], [null], [{}], [{ method: ["GET"], outcome: ["ok"] }], [{ unknown: 1 }]],
    ...[[{ sampling_rate: 0 }], [{ sampling_rate: "1" }], [{ sampling_rate: 1.1 }], [{ method: "GET" }]],
    ...[[{ method: [1] }], [{ header: {} }], [{ header: { key: 1 } }], [{ query: "" }], [{ query: "x".repeat(501) }]],
    ...[[{ client_ip: Array(51).fill("a") }], Array(21).fill({ query: "a" }), [{ __proto__: null, query: 1 }]],
  ];
  for (const filters of wrong)
    assert.throws(() => parseFilters(filters), { code: "ERR_INVALID" }, JSON.stringify(filters));
});
