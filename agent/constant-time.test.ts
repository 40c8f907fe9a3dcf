import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { isSameSecret } from "./constant-time.js";

const digest = (text: string) => createHash("sha256").update(text).digest();

const CASES: [string, string | Buffer, string | Buffer, boolean][] = [
  ["the same text", "s3cret", "s3cret", true],
  ["texts that differ in the last letter", "s3cret", "s3creT", false],
  ["a text and its beginning", "s3cret", "s3cre", false],
  ["a text and more than it", "s3cret", "s3cret ", false],
  ["nothing and a text", "", "s3cret", false],
  ["nothing twice", "", "", true],
  ["texts of as many letters and of other bytes", "é", "e", false],
  ["texts that look alike in another normal form", "\u00e9", "e\u0301", false],
  ["a text and its bytes", "sé", Buffer.from("sé"), true],
  ["digests of the same", digest("a"), digest("a"), true],
  ["digests of others", digest("a"), digest("b"), false],
  ["bytes of different length", Buffer.alloc(32), Buffer.alloc(31), false],
];

for (const [what, one, other, expected] of CASES) {
  test(`secrets are ${expected ? "the same" : "not the same"}: ${what}`, () => {
    assert.equal(isSameSecret(one, other), expected);
    assert.equal(isSameSecret(other, one), expected);
  });
}

test("one bit that differs is seen wherever it is", () => {
  const secret = randomBytes(32);
  for (let bit = 0; bit < 256; bit++) {
    const guess = Buffer.from(secret);
    guess[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(isSameSecret(secret, guess), false, `bit ${bit} of ${secret.toString("hex")}`);
  }
});
