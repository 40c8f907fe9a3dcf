import assert from "node:assert/strict";
import { test } from "node:test";
import { readStatus } from "./openpgp-status.js";

const KEY = "0123456789ABCDEF0123456789ABCDEF01234567";
const PRIMARY = "89ABCDEF0123456789ABCDEF0123456789ABCDEF";
const valid = ({ key = KEY, primary = ` ${PRIMARY}`, signatureClass = "00" } = {}) =>
  `VALIDSIG ${key} 2026-11-01 1793491200 0 4 0 22 10 ${signatureClass}${primary}`;
const good = "GOODSIG 89ABCDEF01234567 Ana %3Cx%0A <ana@example.com>";
const read = (...lines: string[]) => readStatus(lines.map((line) => `[GNUPG:] ${line}\n`).join(""));

test("a good signature is told by its primary key and user id, whatever else gpg says", () => {
  const signature = { fingerprint: PRIMARY, userId: "Ana <x\n <ana@example.com>" };
  assert.deepEqual(read("NEWSIG", "KEY_CONSIDERED x 0", good, valid(), "TRUST_UNDEFINED 0 pgp"), signature);
  assert.deepEqual(read(good, valid({ primary: "" })), { ...signature, fingerprint: KEY });
});

const refused: [string, string[], string | undefined][] = [
  ["nothing", [], undefined],
  ["no data", ["NODATA 4"], undefined],
  ["a good one that is not valid", [good], undefined],
  ["a valid one that is not good", [valid()], undefined],
  ["a good one whose key is no fingerprint", [good, valid({ primary: " 89ABCDEF" })], undefined],
  ["one over text, which leaves line ends open", [good, valid({ signatureClass: "01" })], undefined],
  ["a bad one", ["BADSIG 89ABCDEF01234567 Ana"], "bad"],
  ["one that has expired", ["EXPSIG 89ABCDEF01234567 Ana", valid()], "expired"],
  ["one of an expired key", ["EXPKEYSIG 89ABCDEF01234567 Ana", valid()], "expired-key"],
  ["one of a revoked key", ["REVKEYSIG 89ABCDEF01234567 Ana", valid()], "revoked-key"],
  ["one of an unknown key", [`ERRSIG 89ABCDEF01234567 22 10 00 1793491200 9 ${KEY}`], "unknown-key"],
  ["two good ones", [good, valid(), good, valid()], "several"],
  ["a good one and a bad one", [good, valid(), "BADSIG 89ABCDEF01234567 Eve"], "several"],
  ["a good one with two keys", [good, valid(), valid()], "several"],
];
for (const [what, lines, reason] of refused) {
  test(`what gpg says of ${what} is a refusal`, () => {
    const verdict = read(...lines);
    assert.ok("reason" in verdict);
    assert.equal(verdict.reason, reason);
  });
}

test("only whole status lines count, not what looks like one inside another", () => {
  const verdict = readStatus(`[GNUPG:] NOTATION_DATA x [GNUPG:] ${good}\n [GNUPG:] ${good}\n[GNUPG:] ${valid()}\n`);
  assert.ok("reason" in verdict);
});
