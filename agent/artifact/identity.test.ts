import assert from "node:assert/strict";
import { test } from "node:test";
import type { Manifest } from "../model.js";
import { testManifest } from "../test-manifest.js";
import { fc } from "../test-properties.js";
import { canonicalJson, digestOf, type VersionIdentity, versionId } from "./identity.js";

const manifest = testManifest({ vars: { B: { y: 1, x: [2] }, A: "a" } });
const identity: VersionIdentity = {
  account: "main",
  function: "hello",
  artifact: digestOf(Buffer.from("x")),
  manifest,
  bundler: "esbuild@1",
};

test("a digest is the SHA-256 of the bytes", () => {
  assert.equal(digestOf(Buffer.from("")), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("the id of a version is a UUID of version 8", () => {
  assert.match(versionId(identity), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("the id of a version never changes from one release to the next", () => {
  assert.equal(versionId(identity), "9a77cc44-d25f-8d9b-9e4c-cddbe624889d");
});

test("equal content is the same version, whatever the order of its keys", () => {
  const vars = { A: "a", B: { x: [2], y: 1 } };
  const reordered = Object.fromEntries(Object.entries({ ...manifest, vars }).reverse()) as unknown as Manifest;
  assert.equal(versionId({ ...identity, manifest: reordered }), versionId(identity));
});

const others: [string, Partial<VersionIdentity>][] = [
  ["account", { account: "ann" }],
  ["function", { function: "other" }],
  ["artifact", { artifact: digestOf(Buffer.from("y")) }],
  ["configuration", { manifest: { ...manifest, vars: { A: "b" } } }],
  ["bundler", { bundler: "esbuild@2" }],
];
for (const [name, change] of others) {
  test(`another ${name} is another version`, () => {
    assert.notEqual(versionId({ ...identity, ...change }), versionId(identity));
  });
}

test("canonical JSON is the same value, and the same text for any order of keys", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(reversedKeys(value)), canonicalJson(value));
    }),
  );
});

function reversedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversedKeys);
  if (typeof value !== "object" || value === null) return value;
  const reversed = Object.entries(value).reverse();
  return Object.fromEntries(reversed.map(([key, part]) => [key, reversedKeys(part)]));
}
