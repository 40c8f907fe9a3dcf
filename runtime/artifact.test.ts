import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeArtifact, verifyDigest } from "./artifact.js";
import { artifactBytes, digestOf } from "./testing/workerd.js";

const BYTES = artifactBytes({ "src/a.js": "export {}", "b.bin": { kind: "data", bytes: new Uint8Array([1, 2]) } });

test("an artifact is read as it was written", () => {
  const { main, modules } = decodeArtifact(BYTES);
  assert.equal(main, "src/a.js");
  assert.deepEqual(
    modules.map(({ name, kind, bytes }) => [name, kind, Buffer.from(bytes).toString("latin1")]),
    [
      ["src/a.js", "esm", "export {}"],
      ["b.bin", "data", "\x01\x02"],
    ],
  );
});

test("D3: bytes that do not have the digest of their name are refused", async () => {
  await verifyDigest(BYTES, digestOf(BYTES));
  const changed = BYTES.slice();
  changed[changed.length - 1] = 9;
  await assert.rejects(verifyDigest(changed, digestOf(BYTES)), /corrupt/);
});

test("what is cut off or no artifact is refused", () => {
  for (const bytes of [
    new Uint8Array(),
    BYTES.subarray(0, 7),
    BYTES.subarray(0, 20),
    BYTES.subarray(0, BYTES.length - 1),
  ]) {
    assert.throws(() => decodeArtifact(bytes));
  }
});
