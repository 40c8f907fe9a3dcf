import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { posix } from "node:path";
import { test } from "node:test";
import { WrkstError } from "../errors.js";
import type { Declaration, RefusedEntry, Snapshot } from "../model.js";
import { createDeclarationReader } from "./declarations.js";

const FILE = /(^|\/)wrangler\.(toml|jsonc?)$/;

/** A tree in memory, and how often each file was read. */
function snapshotOf(files: Record<string, string | Uint8Array>, refused: RefusedEntry[] = []) {
  const reads: string[] = [];
  const idOf = (path: string) => createHash("sha1").update(files[path]!).digest("hex");
  const snapshot: Snapshot = {
    revision: { source: "default", branch: "main", commit: "0".repeat(40) },
    async functionFolders() {
      const folders = Object.keys(files)
        .filter((path) => FILE.test(path))
        .map((path) => posix.dirname(path));
      return [...new Set(folders.map((folder) => (folder === "." ? "" : folder)))].sort();
    },
    treeId: async () => undefined,
    async list(folder) {
      const here = Object.keys(files).filter((path) => posix.join(folder || ".", posix.basename(path)) === path);
      return here.map((path) => ({ name: posix.basename(path), kind: "file" as const, id: idOf(path) }));
    },
    refused: async (folder) => refused.filter(({ path }) => path.startsWith(folder)),
    async read(path) {
      reads.push(path);
      if (refused.some((entry) => entry.path === path)) throw new WrkstError("ERR_TREE_REFUSED", "refused");
      const content = files[path];
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    },
    blobId: async (path) => (path in files ? idOf(path) : undefined),
  };
  return { snapshot, reads };
}

function file(name: string, main = "index.ts"): string {
  return `name = "${name}"\nmain = "${main}"\ncompatibility_date = "2026-11-01"\n`;
}

async function read(files: Record<string, string | Uint8Array>, refused?: RefusedEntry[]): Promise<Declaration[]> {
  return createDeclarationReader().read(snapshotOf(files, refused).snapshot);
}

test("declarations are sorted by folder, and the fault of one is its own", async () => {
  const declarations = await read({
    "b/wrangler.toml": file("b"),
    "b/index.ts": "",
    "a/deep/wrangler.jsonc": '{ "name": "a", "main": "x.ts", ',
    "c/wrangler.toml": "name = ",
    "wrangler.toml": file("root-function", "b/index.ts"),
  });
  assert.deepEqual(
    declarations.map(({ folder, name, error }) => [folder, name, error?.code]),
    [
      ["", "root-function", undefined],
      ["a/deep", "a", "ERR_MANIFEST"],
      ["b", "b", undefined],
      ["c", "c", "ERR_MANIFEST"],
    ],
  );
  assert.equal(declarations[2]!.manifest!.main, "index.ts");
});

test("of several files the one that wrangler takes counts, with a warning", async () => {
  const [declaration] = await read({
    "a/wrangler.toml": file("from-toml"),
    "a/wrangler.json": '{ "name": "from-json", "main": "index.ts", "compatibility_date": "2026-11-01" }',
    "a/wrangler.jsonc": "{}",
    "a/index.ts": "",
  });
  assert.equal(declaration!.name, "from-json");
  assert.deepEqual(
    declaration!.warnings.map(({ position }) => position?.file),
    ["a/wrangler.jsonc", "a/wrangler.toml"],
  );
});

const names: [what: string, text: string, environment: string | undefined, name: string][] = [
  ["a broken file that says its name", 'name = "told"\nmain = [', undefined, "told"],
  ["a broken file with an environment", 'name = "told"\nmain = [', "production", "told-production"],
  ["an environment that names itself", 'name = "told"\nx = [\n[env.production]\nname = "own"', "production", "own"],
  ["a name below another table", "x = [\n[vars]\nname = 'other'", undefined, "folder"],
  ["a name that is no name", 'name = "../../x"', undefined, "folder"],
  ["no name at all", "", undefined, "folder"],
];
for (const [what, text, environment, name] of names) {
  test(`the name that can be told: ${what}`, async () => {
    const { snapshot } = snapshotOf({ "some/folder/wrangler.toml": text });
    const [declaration] = await createDeclarationReader().read(snapshot, { environment });
    assert.equal(declaration!.name, name);
    assert.equal(declaration!.error?.code, "ERR_MANIFEST");
  });
}

test("two functions of one name are both refused, naming both files", async () => {
  const declarations = await read({
    "a/wrangler.toml": file("same"),
    "a/index.ts": "",
    "b/wrangler.toml": file("same"),
    "b/index.ts": "",
    "c/wrangler.toml": file("other"),
    "c/index.ts": "",
  });
  assert.deepEqual(
    declarations.map(({ error }) => error?.code),
    ["ERR_NAME_TAKEN", "ERR_NAME_TAKEN", undefined],
  );
  for (const declaration of declarations.slice(0, 2)) {
    assert.equal(declaration.manifest, undefined);
    assert.match(declaration.error!.message, /"a\/wrangler.toml".*"b\/wrangler.toml"/);
  }
});

test("a broken file does not take the name of a whole one", async () => {
  const declarations = await read({
    "a/wrangler.toml": 'name = "same"',
    "b/wrangler.toml": file("same"),
    "b/index.ts": "",
  });
  assert.deepEqual(
    declarations.map(({ error }) => error?.code),
    ["ERR_MANIFEST", undefined],
  );
});

test("an entry file that does not exist is an error that offers one that does", async () => {
  const [declaration] = await read({ "a/wrangler.toml": file("a", "src/index.js"), "a/src/index.ts": "" });
  assert.equal(declaration!.error?.code, "ERR_MANIFEST");
  assert.match(declaration!.error!.hint!, /"src\/index.ts"/);
  assert.deepEqual(declaration!.error?.position, { file: "a/wrangler.toml", line: 2, column: 1 });
});

test("an entry file without extension is found as wrangler finds it", async () => {
  const [declaration] = await read({ "a/wrangler.toml": file("a", "./src/index"), "a/src/index.ts": "" });
  assert.equal(declaration!.manifest?.main, "src/index.ts");
});

const escapes: [text: string, isRefused: boolean][] = [
  [file("a", "../shared/index.ts"), false],
  [file("a", "../../shared/index.ts"), true],
  [`${file("a", "../shared/index.ts")}base_dir = ".."`, false],
  [`${file("a", "../shared/index.ts")}base_dir = "../.."`, true],
  [`${file("a", "../shared/index.ts")}tsconfig = "../../tsconfig.json"`, true],
];
for (const [text, isRefused] of escapes) {
  test(`C4: paths stay inside the repository: ${text.split("\n").slice(1).join(" ")}`, async () => {
    const [declaration] = await read({ "a/wrangler.toml": text, "shared/index.ts": "" });
    assert.equal(declaration!.error?.code, isRefused ? "ERR_MANIFEST" : undefined);
  });
}

test("C1: a refused entry is the error of the nearest function above it", async () => {
  const refused: RefusedEntry[] = [
    { path: "a/inner/link\u001b", reason: "symlink", message: '"a/inner/link" is a symbolic link' },
    { path: "a/inner/deep/link", reason: "symlink", message: "a symbolic link" },
    { path: "elsewhere/link", reason: "symlink", message: "a symbolic link" },
  ];
  const declarations = await read(
    {
      "a/wrangler.toml": file("a"),
      "a/index.ts": "",
      "a/inner/wrangler.toml": file("inner"),
      "a/inner/index.ts": "",
    },
    refused,
  );
  assert.equal(declarations[0]!.error, undefined);
  assert.equal(declarations[1]!.error?.code, "ERR_TREE_REFUSED");
  assert.match(declarations[1]!.error!.message, /"a\/inner\/link".*1 more/);
  assert.equal(declarations[1]!.error!.position?.file, "a/inner/link\ufffd");
  assert.equal(declarations[1]!.name, "inner");
});

test("a file that is not text or too large is an error", async () => {
  const declarations = await read({
    "binary/wrangler.toml": new Uint8Array([0xff, 0xfe, 0x00]),
    "large/wrangler.toml": new Uint8Array(1024 * 1024 + 1).fill(0x23),
  });
  assert.deepEqual(
    declarations.map(({ error }) => error?.code),
    ["ERR_MANIFEST", "ERR_MANIFEST"],
  );
});

test("an unchanged file is not read again, and an environment of another name is", async () => {
  const reader = createDeclarationReader();
  const files = { "a/wrangler.toml": file("a"), "a/index.ts": "", "b/wrangler.toml": file("b"), "b/index.ts": "" };
  await reader.read(snapshotOf(files).snapshot);
  const second = snapshotOf({ ...files, "b/wrangler.toml": `${file("b")}minify = true` });
  const declarations = await reader.read(second.snapshot);
  assert.deepEqual(second.reads, ["b/wrangler.toml"]);
  assert.equal(declarations[1]!.manifest?.minify, true);
  const third = snapshotOf(files);
  assert.equal((await reader.read(third.snapshot, { environment: "x" }))[0]!.name, "a-x");
  assert.deepEqual(third.reads.sort(), ["a/wrangler.toml", "b/wrangler.toml"]);
});

test("an outage of the source is thrown, not taken for the function's fault", async () => {
  const { snapshot } = snapshotOf({ "a/wrangler.toml": file("a") });
  const broken: Snapshot = {
    ...snapshot,
    read: async () => {
      throw new WrkstError("ERR_GIT_UNREACHABLE", "gone");
    },
  };
  await assert.rejects(createDeclarationReader().read(broken), { code: "ERR_GIT_UNREACHABLE" });
});
