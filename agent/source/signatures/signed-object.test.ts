import assert from "node:assert/strict";
import { test } from "node:test";
import { WrkstError } from "../../errors.js";
import { kindOf, parseCommit, parseTag } from "./signed-object.js";

const ID = "0123456789abcdef0123456789abcdef01234567";
const OTHER = "fedcba9876543210fedcba9876543210fedcba98";
const ARMOR = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAA\nAQ==\n-----END SSH SIGNATURE-----\n";
const PGP = "-----BEGIN PGP SIGNATURE-----\n\niQEzBAABCAAd\n=abcd\n-----END PGP SIGNATURE-----\n";
const folded = (name: string, text: string) => `${name} ${text.trimEnd().replaceAll("\n", "\n ")}\n`;
const PERSON = "Ana <ana@example.com> 1700000000 +0100";
const HEADERS = `tree ${ID}\nparent ${OTHER}\nauthor ${PERSON}\ncommitter ${PERSON}\n`;
const MESSAGE = "\nA change\n\n-----BEGIN SSH SIGNATURE-----\nnot one\n";
const TAG = `object ${ID}\ntype commit\ntag v1.0.0\ntagger ${PERSON}\n`;
const bytes = (text: string) => Buffer.from(text, "latin1");
const commit = (...headers: string[]) => bytes([HEADERS, ...headers, MESSAGE].join(""));
const isRefused = (error: unknown) => error instanceof WrkstError && error.code === "ERR_GIT_UNVERIFIED";

test("what was signed of a commit is all of it but its signatures, whatever stands around them", () => {
  const merged = folded("mergetag", `object ${ID}\ntype commit\ntag x\n\ngpgsig ${PGP}`);
  for (const more of [[], ["encoding ISO-8859-1\n"], [merged, "HG:extra rebase\n"], [merged, merged]]) {
    const signature = folded("gpgsig", ARMOR);
    const orders = [
      [...more, signature],
      [signature, ...more],
      [folded("gpgsig-sha256", PGP), ...more, signature],
    ];
    for (const order of orders) {
      const object = parseCommit(commit(...order));
      assert.equal(object.payload.toString("latin1"), commit(...more).toString("latin1"));
      assert.equal(object.signature?.toString("latin1"), ARMOR);
      assert.deepEqual([object.what, object.time], ["commit", 1_700_000_000]);
    }
  }
  assert.equal(parseCommit(commit()).signature, undefined);
  assert.equal(parseCommit(commit(folded("gpgsig-sha256", ARMOR))).signature, undefined);
});

test("what was signed of a tag is all before the last line that begins a signature", () => {
  const object = parseTag(bytes(`${TAG}\nRelease\n${PGP}more\n${ARMOR}`));
  assert.equal(object.payload.toString("latin1"), `${TAG}\nRelease\n${PGP}more\n`);
  assert.equal(object.signature?.toString("latin1"), ARMOR);
  assert.deepEqual([object.what, object.name, object.target, object.time], ["tag", "v1.0.0", ID, 1_700_000_000]);
  assert.equal(parseTag(bytes(`${TAG}\nRelease\n`)).signature, undefined);
});

test("names and messages of any bytes go through as they are", () => {
  const odd = HEADERS.replaceAll("Ana", "\xc3\x84na \xff <<");
  const object = parseCommit(bytes(`${odd}${folded("gpgsig", PGP)}\n\xff\xfe\0\r\n`));
  assert.deepEqual(object.payload, bytes(`${odd}\n\xff\xfe\0\r\n`));
});

test("the kind of a signature is told by its first line alone", () => {
  assert.deepEqual(
    [ARMOR, PGP].map((text) => kindOf(bytes(text))),
    ["ssh", "openpgp"],
  );
  assert.equal(kindOf(bytes("-----BEGIN SIGNED MESSAGE-----\nx\n-----END SIGNED MESSAGE-----\n")), "x509");
  assert.equal(kindOf(bytes("-----BEGIN PGP MESSAGE-----\nx\n")), undefined);
});

const signature = folded("gpgsig", ARMOR);
const malformed: Record<string, Buffer> = {
  "nothing at all": bytes(""),
  "headers that never end": bytes(HEADERS),
  "a header without a value": commit("encoding\n"),
  "a line that goes on with nothing": bytes(` x\n${HEADERS}\n`),
  "a null byte in a header": commit("encoding a\0b\n"),
  "a carriage return for a name": commit("\r\n"),
  "no tree": bytes(HEADERS.replace(/^.*\n/, "") + MESSAGE),
  "two trees": bytes(`tree ${OTHER}\n${HEADERS}${MESSAGE}`),
  "a tree of another length": bytes(HEADERS.replace(ID, `${ID}0`) + MESSAGE),
  "a tree in upper case": bytes(HEADERS.replace(ID, ID.toUpperCase()) + MESSAGE),
  "a parent after the author": bytes(HEADERS.replace(/(parent .*\n)(author .*\n)/, "$2$1") + MESSAGE),
  "a signature before the tree": bytes(signature + HEADERS + MESSAGE),
  "two committers": commit(`committer ${PERSON}\n`),
  "a second tree behind the signature": commit(signature, `tree ${OTHER}\n`),
  "two signatures": commit(signature, signature),
  "a header that only looks like a signature": commit(signature, "gpgsig-x y\n"),
  "a signature without an end": commit(folded("gpgsig", ARMOR.replace(/-----END.*/, ""))),
  "a signature with another end": commit(folded("gpgsig", ARMOR.replace("END SSH", "END PGP"))),
  "two blocks in one signature": commit(folded("gpgsig", ARMOR + PGP)),
  "something before the block": commit(folded("gpgsig", `x\n${ARMOR}`)),
  "bytes that are no text in the block": commit(folded("gpgsig", ARMOR.replace("U1", "\x80\x01"))),
  "a signature without end of its size": commit(folded("gpgsig", ARMOR.replace("U1", "A\n".repeat(40_000)))),
  "a time that is no number": bytes((HEADERS + MESSAGE).replaceAll("1700000000", "-1")),
  "a time after the year 9999": bytes((HEADERS + MESSAGE).replaceAll("1700000000", "253402300800")),
};
for (const [what, object] of Object.entries(malformed)) {
  test(`a commit with ${what} is refused`, () => assert.throws(() => parseCommit(object), isRefused));
}

const malformedTags: Record<string, string> = {
  "a tree": TAG.replace("type commit", "type tree"),
  "another tag": TAG.replace("type commit", "type tag"),
  "nobody who made it": TAG.replace(/tagger.*\n/, ""),
  "a name of two lines": TAG.replace("v1.0.0", "v1\n .0.0"),
  "headers in another order": TAG.replace(/(object.*\n)(type.*\n)/, "$2$1"),
  "a signature among its headers": `${TAG}${signature}`,
};
for (const [what, headers] of Object.entries(malformedTags)) {
  test(`a tag of or with ${what} is refused`, () =>
    assert.throws(() => parseTag(bytes(`${headers}\nRelease\n${ARMOR}`)), isRefused));
}
test("a tag with something behind its signature is refused", () => {
  assert.throws(() => parseTag(bytes(`${TAG}\nRelease\n${ARMOR}more\n`)), isRefused);
});

/** All that one changed, removed or added byte of each class makes of an object. */
function* mutationsOf(object: Buffer): Generator<{ at: number; changed: Buffer }> {
  const classes = ["\0", "\n", "\r", " ", "-", "0", "a", "g", "\x80", "\xff"].map(bytes);
  for (let at = 0; at < object.length; at++) {
    const [before, behind] = [object.subarray(0, at), object.subarray(at + 1)];
    yield { at, changed: Buffer.concat([before, behind]) };
    for (const byte of classes) {
      if (byte[0] !== object[at]) yield { at, changed: Buffer.concat([before, byte, behind]) };
      yield { at, changed: Buffer.concat([before, byte, object.subarray(at)]) };
    }
  }
}

for (const [what, object, parse] of [
  ["commit", commit("encoding x\n", signature), parseCommit],
  ["tag", bytes(`${TAG}\nRelease\n${ARMOR}`), parseTag],
] as const) {
  test(`every byte of a ${what} is signed or part of the signature`, () => {
    const { payload } = parse(object);
    const text = what === "commit" ? signature : ARMOR;
    const start = object.indexOf(text);
    for (const { at, changed } of mutationsOf(object)) {
      if (changed.equals(object) || (at >= start && at <= start + text.length)) continue;
      try {
        assert.ok(!parse(changed).payload.equals(payload), `byte ${at}`);
      } catch (error) {
        assert.ok(isRefused(error), String(error));
      }
    }
  });
}
