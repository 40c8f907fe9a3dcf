import assert from "node:assert/strict";
import { test } from "node:test";
import type { BundleModule } from "../model.js";
import { fc } from "../test-properties.js";
import { type ArtifactContent, decodeArtifact, decodeSourceMaps, encodeArtifact, encodeSourceMaps } from "./format.js";

const text = (value: string) => new Uint8Array(Buffer.from(value));
const hello: ArtifactContent = {
  main: "index.js",
  modules: [
    { name: "index.js", kind: "esm", bytes: text("export default {}") },
    { name: "lib/data.bin", kind: "data", bytes: new Uint8Array([0, 255, 1]) },
  ],
};

const kind = fc.constantFrom<BundleModule["kind"]>("esm", "cjs", "text", "data", "json", "wasm");
const plain = { noNullPrototype: true };
const bundles = fc
  .uniqueArray(fc.record({ name: fc.string({ unit: "grapheme" }), kind, bytes: fc.uint8Array() }, plain), {
    minLength: 1,
    maxLength: 8,
    selector: (module) => module.name,
  })
  .chain((modules) =>
    fc.record({ main: fc.constantFrom(...modules.map((m) => m.name)), modules: fc.constant(modules) }, plain),
  );

const corrupt = { code: "ERR_ARTIFACT_CORRUPT" };

test("an artifact gives back the modules that were put into it, sorted by name", () => {
  fc.assert(
    fc.property(bundles, (bundle) => {
      const modules = [...bundle.modules].sort((a, b) => (a.name < b.name ? -1 : 1));
      assert.deepEqual(decodeArtifact(encodeArtifact(bundle)), { main: bundle.main, modules });
    }),
  );
});

test("equal bundles give equal bytes, whatever the order of their modules", () => {
  fc.assert(
    fc.property(bundles, (bundle) => {
      const reversed = { ...bundle, modules: [...bundle.modules].reverse() };
      assert.deepEqual(encodeArtifact(reversed), encodeArtifact(bundle));
    }),
  );
});

test("an artifact is laid out as the contract says", () => {
  const bytes = Buffer.from(encodeArtifact(hello));
  assert.equal(bytes.toString("latin1", 0, 4), "WRK1");
  const end = 8 + bytes.readUInt32BE(4);
  const header = JSON.parse(bytes.toString("utf8", 8, end));
  assert.deepEqual(header.modules[1], { name: "lib/data.bin", kind: "data", offset: 17, length: 3 });
  assert.deepEqual([...bytes.subarray(end + 17)], [0, 255, 1]);
});

test("an artifact that is cut off anywhere is refused", () => {
  const bytes = encodeArtifact(hello);
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeArtifact(bytes.subarray(0, length)), corrupt, `cut to ${length} bytes`);
  }
  assert.throws(() => decodeArtifact(Buffer.concat([bytes, Buffer.from("x")])), corrupt);
});

test("arbitrary bytes are refused with a code, never with another error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (tail, magic) => {
      const bytes = magic ? Buffer.concat([Buffer.from("WRK1"), tail]) : tail;
      assert.throws(() => decodeArtifact(bytes), corrupt);
    }),
  );
});

function withHeader(header: unknown, body = "abc"): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.from("WRK1\0\0\0\0");
  prefix.writeUInt32BE(json.length, 4);
  return Buffer.concat([prefix, json, Buffer.from(body)]);
}

const entry = { name: "a", kind: "esm", offset: 0, length: 3 };
const malformed: [string, unknown][] = [
  ["no JSON", "{"],
  ["a list", []],
  ["no modules", { main: "a" }],
  ["an entry that is null", { main: "a", modules: [null] }],
  ["an unknown kind", { main: "a", modules: [{ ...entry, kind: "py" }] }],
  ["a negative offset", { main: "a", modules: [{ ...entry, offset: -1 }] }],
  ["a length that is no integer", { main: "a", modules: [{ ...entry, length: 1.5 }] }],
  ["a module beyond the end", { main: "a", modules: [{ ...entry, length: 4 }] }],
  ["overlapping modules", { main: "a", modules: [entry, { ...entry, name: "b" }] }],
  [
    "two modules of one name",
    {
      main: "a",
      modules: [
        { ...entry, length: 1 },
        { ...entry, offset: 1, length: 2 },
      ],
    },
  ],
  ["no main module", { main: "b", modules: [entry] }],
];
for (const [name, header] of malformed) {
  test(`a header with ${name} is refused`, () => assert.throws(() => decodeArtifact(withHeader(header)), corrupt));
}

test("a bundle without its main module, or with a name twice, is a mistake of the caller", () => {
  assert.throws(() => encodeArtifact({ ...hello, main: "other.js" }), TypeError);
  assert.throws(() => encodeArtifact({ main: "index.js", modules: [...hello.modules, ...hello.modules] }), TypeError);
});

test("source maps come back as they were", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (maps) => {
      assert.deepEqual(Object.entries(decodeSourceMaps(encodeSourceMaps(maps))).sort(), Object.entries(maps).sort());
    }),
  );
  assert.throws(() => decodeSourceMaps(text("{}")), corrupt);
  assert.throws(() => decodeSourceMaps(text("[[1,2]]")), corrupt);
  assert.throws(() => decodeSourceMaps(text("")), corrupt);
});
