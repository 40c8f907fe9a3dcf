import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, WrkstError } from "../errors.js";
import type { BundleModule, Upload, Version } from "../model.js";
import { testManifest } from "../test-manifest.js";
import { checkModuleName, checkValueName } from "./names.js";
import { resolveVersion } from "./resolve.js";
import { checkUpload, environmentOf, manifestOf, UPLOAD_LIMITS } from "./upload.js";

const is = (code: ErrorCode) => (error: unknown) => error instanceof WrkstError && error.code === code;
const module_ = (name: string, size = 1): BundleModule => ({ name, kind: "esm", bytes: new Uint8Array(size) });

const upload = (change: Partial<Upload> = {}): Upload => ({
  bundle: { main: "index.js", modules: [module_("index.js")], sourceMaps: {} },
  bindings: [],
  keep: [],
  client: "test",
  ...change,
});

const badModules = [
  "../../x",
  "a\0b",
  "/etc/passwd",
  "",
  "a//b",
  "./a.js",
  "a/../b",
  "a\\b",
  "node:fs",
  "x".repeat(513),
  "__wrkst_entry.js",
  "__wrkst_prelude.js",
];
for (const name of badModules) {
  test(`B1: a module named ${JSON.stringify(name.slice(0, 30))} is refused`, () => {
    assert.throws(() => checkModuleName(name), is("ERR_INVALID"));
  });
}
test("names of modules as bundlers make them pass", () => {
  for (const name of [
    "index.js",
    "lib/a.js",
    "0a1b-logo.png",
    "lib/c.cjs",
    "worker",
    "ä/ü.txt",
    "a b.txt",
    "..a/b.",
    "@scope/x.js",
  ]) {
    assert.doesNotThrow(() => checkModuleName(name), name);
  }
});

for (const name of ["__wrkstX", "__proto__", "D1", "", "a b", "a\n", "x".repeat(129), "é"]) {
  test(`B10: a var or secret named ${JSON.stringify(name.slice(0, 30))} is refused`, () => {
    assert.throws(() => checkValueName(name), is("ERR_INVALID"));
  });
}

const refused: { name: string; change: Partial<Upload>; code: ErrorCode }[] = [
  {
    name: "without its main module",
    change: { bundle: { main: "x.js", modules: [module_("index.js")], sourceMaps: {} } },
    code: "ERR_INVALID",
  },
  {
    name: "with a module twice",
    change: { bundle: { main: "a", modules: [module_("a"), module_("a")], sourceMaps: {} } },
    code: "ERR_INVALID",
  },
  {
    name: "with more than 64 MiB of modules",
    change: { bundle: { main: "a", modules: [module_("a", UPLOAD_LIMITS.modules + 1)], sourceMaps: {} } },
    code: "ERR_TOO_LARGE",
  },
  {
    name: "with too many modules",
    change: {
      bundle: {
        main: "m0",
        modules: Array.from({ length: 2_001 }, (_, index) => module_(`m${index}`)),
        sourceMaps: {},
      },
    },
    code: "ERR_TOO_LARGE",
  },
  { name: "with a message that is too long", change: { message: "x".repeat(1_001) }, code: "ERR_INVALID" },
];
for (const { name, change, code } of refused) {
  test(`B2: an upload ${name} is refused`, () => {
    assert.throws(() => checkUpload(upload(change)), is(code));
  });
}

test("B2: JSON that is nested too deep is refused", () => {
  let json: unknown = 1;
  for (let level = 0; level < UPLOAD_LIMITS.depth + 1; level++) json = [json];
  assert.throws(() => environmentOf({ bindings: [{ kind: "json", name: "A", json }], keep: [] }), is("ERR_INVALID"));
});

test("a binding that is there twice is refused, also as var and secret", () => {
  const bindings = [
    { kind: "text", name: "A", text: "" },
    { kind: "secret", name: "A", text: "" },
  ] as const;
  assert.throws(() => environmentOf({ bindings: [...bindings], keep: [] }), is("ERR_INVALID"));
});

test("what an upload does not say is that of the version before, but for its health path", () => {
  const before = testManifest({
    compatibilityDate: "2025-01-01",
    compatibilityFlags: ["f"],
    egress: "none",
    health: "/h",
    workersDev: false,
  });
  const manifest = manifestOf("a", upload(), { vars: {}, databases: [] }, before);
  assert.deepEqual(
    [manifest.compatibilityDate, manifest.compatibilityFlags, manifest.egress, manifest.health, manifest.workersDev],
    ["2025-01-01", ["f"], "none", undefined, false],
  );
  assert.equal(
    manifestOf("a", upload({ compatibilityDate: "2026-01-01" }), { vars: {}, databases: [] }, before).compatibilityDate,
    "2026-01-01",
  );
  assert.deepEqual(manifestOf("a", upload(), { vars: {}, databases: [] }).hosts, []);
});

const boundBefore = {
  manifest: testManifest({
    vars: { TEXT: "x" },
    d1Databases: [
      { binding: "DB", databaseName: "shop", databaseId: "id-of-shop" },
      { binding: "LOG", databaseName: "log", databaseId: "id-of-log" },
    ],
  }),
  secrets: {},
};
const boundOf = (brought: Pick<Upload, "bindings" | "keep">, before = boundBefore) =>
  environmentOf(brought, before).databases.map(({ binding, databaseId }) => [binding, databaseId]);

test("a database is inherited by its binding, with the id that it had, and only where that is asked for", () => {
  assert.deepEqual(boundOf({ bindings: [{ kind: "inherit", name: "DB" }], keep: [] }), [["DB", "id-of-shop"]]);
  assert.deepEqual(boundOf({ bindings: [], keep: ["text", "json", "secret"] }), []);
  const missing = { bindings: [{ kind: "inherit" as const, name: "OTHER" }], keep: [] };
  assert.throws(() => environmentOf(missing, boundBefore), is("ERR_INHERIT"));
});

test("kept databases are all of them, but for those that the upload names anew", () => {
  assert.deepEqual(boundOf({ bindings: [], keep: ["d1"] }), [
    ["DB", "id-of-shop"],
    ["LOG", "id-of-log"],
  ]);
  const named = { kind: "d1" as const, name: "DB", id: "another" };
  assert.deepEqual(boundOf({ bindings: [named], keep: ["d1"] }), [
    ["DB", "another"],
    ["LOG", "id-of-log"],
  ]);
  const asVar = environmentOf(
    { bindings: [{ kind: "text", name: "DB", text: "x" }], keep: ["d1", "text"] },
    boundBefore,
  );
  assert.deepEqual(asVar.vars, { DB: "x", TEXT: "x" });
  assert.deepEqual(
    asVar.databases.map(({ binding }) => binding),
    ["LOG"],
  );
});

for (const binding of [
  { kind: "d1", name: "S", id: "id" },
  { kind: "text", name: "S", text: "x" },
  { kind: "json", name: "S", json: 1 },
] as const) {
  test(`a ${binding.kind} binding does not take the place of a secret that is kept`, () => {
    const withSecret = { manifest: testManifest(), secrets: { S: "sealed" } };
    assert.throws(() => environmentOf({ bindings: [binding], keep: ["secret"] }, withSecret), is("ERR_BINDING_TAKEN"));
    assert.deepEqual(environmentOf({ bindings: [binding], keep: [] }, withSecret).kept, {});
    const another = { kind: "secret", name: "S", text: "new" } as const;
    assert.deepEqual(environmentOf({ bindings: [another], keep: ["secret"] }, withSecret).fresh, { S: "new" });
  });
}

test("a database with a name that none can have is refused", () => {
  const bindings = [{ kind: "d1" as const, name: "DB", databaseName: "a b" }];
  assert.throws(() => environmentOf({ bindings, keep: [] }), is("ERR_INVALID"));
});

const version = (id: string, tag?: string): Version => ({
  ...{
    id,
    function: "a",
    account: "main",
    artifact: "",
    size: 1,
    manifest: testManifest(),
    entrypoints: [],
    createdAt: 1,
  },
  upload: { number: 1, kind: "upload", author: "ann", client: "t", secrets: [], ...(tag ? { tag } : {}) },
});
const [one, two] = ["1a2b3c4d-0000-4000-8000-000000000001", "1a2b3c4d-0000-4000-8000-000000000002"] as const;
const three = "abcdef01-0000-4000-8000-000000000003";
const known = {
  name: "hello",
  versions: [version(one, "v1"), version(two, "same"), version(three, "same")],
  aliases: { latest: two, stable: one },
  versionAtCommit: (prefix: string) => ("fedcba9876".startsWith(prefix) ? three : undefined),
};
const found: [string, string | undefined][] = [
  ["latest", two],
  ["stable", one],
  [one, one],
  [one.toUpperCase(), one],
  ["abcdef01", three],
  ["abcdef0100004", three],
  ["1a2b3c4d", undefined],
  ["1a2b3c4d-0000-4000-8000-000000000002", two],
  ["abcdef0", undefined],
  ["fedcba9", three],
  ["v1", one],
  ["same", undefined],
  ["constructor", undefined],
  ["", undefined],
];
for (const [text, expected] of found) {
  test(`a version is found by ${JSON.stringify(text)}: ${expected ?? "none"}`, () => {
    if (expected) assert.equal(resolveVersion(text, known).id, expected);
    else assert.throws(() => resolveVersion(text, known), is("ERR_VERSION_NOT_FOUND"));
  });
}

test("a version that is not found is told with the function that was looked at", () => {
  const told = { message: /^"hello" has no version "nope": /, hint: "see: wrkst versions list --name hello" };
  assert.throws(() => resolveVersion("nope", known), told);
});
