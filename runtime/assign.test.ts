import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../agent/test-properties.js";
import { assign, type Share } from "./assign.js";
import type { VersionSpec } from "./wire.js";

const share = (id: string, percentage: number): Share => ({ spec: { id } as VersionSpec, percentage });
const headers = (entries: Record<string, string> = {}) => new Headers(entries);
const idOf = (shares: Share[], sent: Record<string, string>, random = 0) =>
  assign("hello", shares, headers(sent), random)?.id;

test("chance decides by the shares, to the last thousandth", () => {
  const shares = [share("a", 33.333), share("b", 66.667)];
  assert.equal(idOf(shares, {}, 0), "a");
  assert.equal(idOf(shares, {}, 0.333329), "a");
  assert.equal(idOf(shares, {}, 0.33334), "b");
  assert.equal(idOf(shares, {}, 1 - Number.EPSILON), "b");
  assert.equal(idOf([share("a", 0), share("b", 100)], {}, 0), "b");
  assert.equal(idOf([], {}), undefined);
});

test("a key stays where it is, and moves only to the version that grows", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 0, max: 100 }),
      (key, before, after) => {
        const at = (first: number) => {
          const sent = { get: (name: string) => (name === "cloudflare-workers-version-key" ? key : null) };
          return assign("hello", [share("a", first), share("b", 100 - first)], sent, 0.5)?.id;
        };
        assert.equal(at(before), at(before));
        if (at(before) !== at(after)) assert.equal(at(after), after > before ? "a" : "b");
      },
    ),
  );
});

test("keys spread evenly, also when they are alike", () => {
  const shares = [share("a", 25), share("b", 75)];
  const keys = Array.from({ length: 4_000 }, (_, index) => `user-${index}`);
  const hits = keys.filter((key) => idOf(shares, { "cloudflare-workers-version-key": key }) === "a").length;
  assert.ok(hits > 850 && hits < 1_150, String(hits));
});

const overrides: [string, string][] = [
  ['hello="b"', "b"],
  ['  hello="b"  ', "b"],
  ['other="a", hello="b"', "b"],
  ['hello="a",hello="b"', "b"],
  ['hello="b";x=1', "b"],
  ['hello="c"', "a"],
  ["hello=b", "a"],
  ['hello="b" other="a"', "a"],
  ['hello="b', "a"],
  ['hello="b",', "a"],
  ["", "a"],
];
for (const [header, expected] of overrides) {
  test(`an override ${JSON.stringify(header)} leads to ${expected}`, () => {
    assert.equal(idOf([share("a", 100), share("b", 0)], { "cloudflare-workers-version-overrides": header }), expected);
  });
}

test("an override as long as no server would take it is read at once (SECURITY D1)", () => {
  const header = `hello="b";${" ".repeat(2 ** 20)}"`;
  const sent = { get: (name: string) => (name === "cloudflare-workers-version-overrides" ? header : null) };
  assert.equal(assign("hello", [share("a", 100), share("b", 0)], sent, 0)?.id, "a");
});
