import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseListing, tipOf } from "./listing.js";
import { newestTag, validateRange } from "./tags.js";

const cases: [string, string[], string, string | undefined][] = [
  ["the highest version, not the last name", ["v1.2.0", "v1.10.0", "v1.9.0"], "^1", "v1.10.0"],
  ["the highest in the range", ["v1.2.0", "v2.0.0"], "^1", "v1.2.0"],
  ["names with and without v", ["1.2.0", "v1.1.0"], "*", "1.2.0"],
  ["of two equal versions the one with v", ["1.2.0", "v1.2.0"], "^1", "v1.2.0"],
  ["of two equal versions the one with v, in the other order", ["v1.2.0", "1.2.0"], "^1", "v1.2.0"],
  ["of two builds the higher one, whatever stands in front", ["v1.2.0+1", "1.2.0+2"], "^1", "1.2.0+2"],
  ["no prerelease where the range names none", ["v1.2.0", "v1.3.0-rc.1"], ">=1", "v1.2.0"],
  ["a prerelease of the version that the range names", ["v1.2.0", "v1.3.0-rc.1"], ">=1.3.0-rc.0", "v1.3.0-rc.1"],
  ["nothing where no name is a version", ["latest", "v1", "release-1.2.0", "a/v1.2.0", "=1.2.0"], "*", undefined],
  ["nothing outside the range", ["v1.2.0"], ">=2", undefined],
  ["nothing by a name that git cannot have", ["v1.2.0-x.lock"], ">=1.2.0-a", undefined],
];
for (const [name, names, range, expected] of cases) {
  test(`chooses ${name}`, () => assert.equal(newestTag(names, range), expected));
}

test("any names, in any order, lead to one of them or none, and never to an error", () => {
  const digits = fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }).map((parts) => parts.join("."));
  const version = fc
    .tuple(fc.constantFrom("", "v"), digits, fc.constantFrom("", "-rc.1", "+b"))
    .map((all) => all.join(""));
  const names = fc.uniqueArray(fc.oneof(version, fc.string({ unit: "binary" })), { maxLength: 20 });
  const range = fc.oneof(fc.constantFrom("*", "^1", ">=1.0.0-rc.0 <3"), fc.string());
  fc.assert(
    fc.property(names, range, (all, wanted) => {
      const chosen = newestTag(all, wanted);
      assert.ok(chosen === undefined || all.includes(chosen));
      assert.equal(newestTag([...all].reverse(), wanted), chosen);
    }),
    { numRuns: 200 },
  );
});

test("a range is one that semver can read", () => {
  assert.equal(validateRange(" >=1.2 <3 "), ">=1.2 <3");
  for (const wrong of ["", "  ", "newest", "^1 || oops", "1".repeat(300)]) {
    assert.throws(() => validateRange(wrong), { code: "ERR_GIT_REFUSED" }, wrong);
  }
});

test("annotated tags lead to their commits, lightweight ones are commits, and both can be followed", () => {
  const [tag, behind, light, head] = ["a", "b", "c", "d"].map((digit) => digit.repeat(40));
  const listing = parseListing(
    [
      `${head}\trefs/heads/main`,
      `${tag}\trefs/tags/v1.1.0`,
      `${behind}\trefs/tags/v1.1.0^{}`,
      `${light}\trefs/tags/v1.0.0`,
      "warning: something else",
    ].join("\n"),
  );
  const tip = (range: string) => tipOf(listing, { tags: range }, "here");
  assert.deepEqual(tip("^1"), { commit: behind, tag: { name: "v1.1.0", id: tag } });
  assert.deepEqual(tip("1.0.x"), { commit: light, tag: { name: "v1.0.0", id: light } });
  assert.deepEqual(tipOf(listing, { branch: "main" }, "here"), { commit: head });
  assert.throws(() => tip(">=2"), { code: "ERR_GIT_NO_BRANCH" });
});
