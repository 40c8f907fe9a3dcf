// What a build answers and what it refuses. Covers SECURITY C4.

import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WrkstError } from "../errors.js";
import type { Manifest } from "../model.js";
import { type BuildSettings, buildFunction } from "./build.js";
import { chooseWorkRoot, writeBarrier } from "./confine.js";
import { checkout, type Files, manifestOf, temporaryFolder, textOf, writeFiles } from "./testing.js";

interface Case {
  files: Files;
  folder?: string;
  manifest?: Partial<Manifest>;
  settings?: BuildSettings;
}

async function build(t: TestContext, { files, folder = "", manifest, settings }: Case) {
  const root = await checkout(t, files);
  return buildFunction({ root, folder, manifest: manifestOf(manifest) }, settings);
}

async function failureOf(t: TestContext, from: Case): Promise<WrkstError> {
  try {
    await build(t, from);
  } catch (error) {
    assert(error instanceof WrkstError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "expected the build to fail" });
}

const ANSWER = "export default { fetch() { return new Response(String(x)); } };";

test("gives identical bytes in two checkouts, whatever they are called", async (t) => {
  const files: Files = {
    "f/index.ts": `import x from "dep"; import t from "./t.txt"; import { l } from "../lib/l"; console.log(t, l); ${ANSWER}`,
    "f/t.txt": "text",
    "lib/l.ts": "export const l = () => 1;",
  };
  const dependency: Files = {
    "dep/package.json": `{"name":"dep"}`,
    "dep/index.js": "exports.x = require('./y');",
    "dep/y.js": "",
  };
  const once = async (depth: string) => {
    const folder = await temporaryFolder(t);
    const cacheDir = join(folder, depth, "cache");
    const root = join(folder, "work");
    await writeFiles(cacheDir, dependency);
    await writeFiles(root, { ...files, "f/node_modules/dep": { link: join(cacheDir, "dep") } });
    return buildFunction({ root, folder: "f", manifest: manifestOf() }, { cacheDir });
  };
  const [a, b] = [await once("x"), await once("much/deeper/y")];
  assert.deepEqual(a, b);
  assert.match(textOf(a), /node_modules\/dep\/y\.js/);
});

test("says which files and folders outside the function's own it depended on", async (t) => {
  const bundle = await build(t, {
    folder: "functions/a",
    files: {
      "functions/a/src/index.ts": `import { x } from "../../../lib/deep/x"; import t from "../../b/t.txt"; console.log(t); ${ANSWER}`,
      "functions/a/tsconfig.json": `{ "extends": "../../tsconfig.base" }`,
      "functions/b/t.txt": "text",
      "lib/deep/x.ts": "export const x = 1;",
      "lib/package.json": "{}",
      "tsconfig.base.json": "{}",
      "package.json": "{}",
      "other.ts": "",
    },
    manifest: { main: "src/index.ts" },
  });
  assert.deepEqual(bundle.outsideFiles, [
    "functions/b/t.txt",
    "lib/deep/x.ts",
    "lib/package.json",
    "package.json",
    "tsconfig.base.json",
  ]);
  assert.deepEqual(bundle.outsideFolders, ["", "functions", "functions/b", "lib", "lib/deep"]);
  assert.deepEqual(JSON.parse(bundle.sourceMaps["index.js"] ?? "").sources, [
    "lib/deep/x.ts",
    "functions/a/src/index.ts",
  ]);
});

test("names the first error's place in the repository and counts the others", async (t) => {
  const error = await failureOf(t, {
    folder: "f",
    files: {
      "f/index.ts": `import { x } from "../lib/x";\nimport "./none";\n${ANSWER}`,
      "lib/x.ts": "export const x = ;\n",
    },
  });
  assert.equal(error.code, "ERR_BUNDLE");
  assert.match(error.message, /\(and 1 more error\)$/);
  assert.match(`${error.position?.file}`, /^(lib\/x\.ts|f\/index\.ts)$/);
  const syntax = await failureOf(t, { folder: "f", files: { "f/index.ts": "\n  export default {{\n" } });
  assert.deepEqual(syntax.position, { file: "f/index.ts", line: 2, column: 19 });
});

test("says what to do about a package that is not installed", async (t) => {
  const hintWith = async (manifest: object) =>
    (
      await failureOf(t, {
        files: { "index.ts": `import x from "@a/dep/sub"; ${ANSWER}`, "package.json": JSON.stringify(manifest) },
      })
    ).hint;
  assert.match(`${await hintWith({})}`, /npm install @a\/dep/);
  assert.match(`${await hintWith({ dependencies: { "@a/dep": "1" } })}`, /commit package-lock\.json/);
  assert.match(`${await hintWith({ devDependencies: { "@a/dep": "1" } })}`, /move "@a\/dep" from devDependencies/);
});

test("asks for nodejs_compat where a module of Node is imported without it", async (t) => {
  for (const name of ["node:fs", "fs", "path"]) {
    const error = await failureOf(t, { files: { "index.ts": `import x from "${name}"; ${ANSWER}` } });
    assert.equal(error.code, "ERR_BUNDLE");
    assert.match(`${error.hint}`, /nodejs_compat/);
    assert.deepEqual(error.position, { file: "index.ts", line: 1, column: 15 });
  }
  const files = { "index.ts": `import x from "fs"; ${ANSWER}` };
  assert.match(textOf(await build(t, { files, manifest: { compatibilityDate: "2026-08-04" } })), /from "node:fs"/);
  await failureOf(t, {
    files,
    manifest: { compatibilityDate: "2026-08-04", compatibilityFlags: ["no_nodejs_compat"] },
  });
});

test("refuses what cannot be a function", async (t) => {
  const cases: Case[] = [
    { files: { "index.ts": "addEventListener('fetch', () => {});" } },
    { files: { "main.py": "" }, manifest: { main: "main.py" } },
    { files: {} },
    { files: { "index.ts": ANSWER }, manifest: { main: "../../etc/passwd" } },
    { files: { "src/index.js": ANSWER, "index.txt": "" }, manifest: { main: "src/index.js", baseDir: "lib" } },
    { files: { "__wrkst_entry.ts": "export default {}" }, manifest: { main: "__wrkst_entry.ts" } },
    { files: { "index.ts": "export default {}" }, manifest: { noBundle: true } },
    { files: { "index.js": "addEventListener('fetch', () => {});" }, manifest: { main: "index.js", noBundle: true } },
  ];
  for (const from of cases) assert.equal((await failureOf(t, from)).code, "ERR_BUNDLE");
});

test("refuses a file whose rule is never reached", async (t) => {
  const rules: Manifest["rules"] = [{ type: "Text", globs: ["**/*.graphql"], fallthrough: false }];
  const error = await failureOf(t, {
    files: { "index.ts": `import x from "./a.txt"; ${ANSWER}`, "a.txt": "" },
    manifest: { rules },
  });
  assert.match(`${error.hint}`, /fallthrough/);
});

test("finds packages as pnpm and workspaces lay them out where links are followed, and still nothing outside", async (t) => {
  const files: Files = {
    "f/index.ts": `import { x } from "a"; import { y } from "@own/lib"; console.log(y); ${ANSWER}`,
    "node_modules/a": { link: ".pnpm/a@1/node_modules/a" },
    "node_modules/.pnpm/a@1/node_modules/a/index.js": 'export { x } from "b";',
    "node_modules/.pnpm/a@1/node_modules/b": { link: "../../b@1/node_modules/b" },
    "node_modules/.pnpm/b@1/node_modules/b/index.js": 'export const x = "from b";',
    "node_modules/@own/lib": { link: "../../lib" },
    "lib/index.js": 'export const y = "from lib";',
  };
  const settings = { followLinks: true };
  assert.match(textOf(await build(t, { files, folder: "f", settings })), /from b[\s\S]*from lib|from lib[\s\S]*from b/);
  const outside = await temporaryFolder(t);
  await writeFiles(outside, { "index.js": "export const x = 1;" });
  const linked: Files = { "f/index.ts": `import { x } from "a"; ${ANSWER}`, "node_modules/a": { link: outside } };
  assert.equal((await failureOf(t, { files: linked, folder: "f", settings })).code, "ERR_BUNDLE");
});

test("reads nothing outside the checkout [C4]", async (t) => {
  const folder = await temporaryFolder(t);
  const SECRET = "canary-5f1c";
  await writeFiles(folder, {
    "host/secret.txt": SECRET,
    "host/secret.ts": `export const x = "${SECRET}";`,
    "host/broken.ts": `const ${SECRET.replace("-", " ")} = ;`,
    "host/secret.json": `{ "x": "${SECRET}" }`,
    "host/tsconfig.json": `{ "compilerOptions": { "jsxImportSource": "${SECRET}" } }`,
    "node_modules/above/index.js": `export const x = "${SECRET}";`,
    "cache/dep/index.js": `export { x } from "../../host/secret.ts";`,
    "cache/other/index.js": `export const x = "${SECRET}";`,
  });
  const host = join(folder, "host");
  const cases: Record<string, Files> = {
    "an absolute path": { "index.ts": `import x from "${host}/secret.txt"; ${ANSWER}` },
    "an absolute path of code": { "index.ts": `import { x } from "${host}/secret.ts"; ${ANSWER}` },
    "a file: URL": { "index.ts": `import { x } from "file://${host}/secret.ts"; ${ANSWER}` },
    "a climbing path": { "index.ts": `import { x } from "../host/secret"; ${ANSWER}` },
    "a hidden climbing path": { "index.ts": `import { x } from "./a/../../host/secret"; ${ANSWER}` },
    "a path with backslashes": { "index.ts": `import { x } from "..\\\\host\\\\secret"; ${ANSWER}` },
    "a text module above": { "index.ts": `import x from "../host/secret.txt"; ${ANSWER}` },
    "a broken file above": { "index.ts": `import { x } from "../host/broken"; ${ANSWER}` },
    "a json file above": { "index.ts": `import x from "../host/secret.json"; ${ANSWER}` },
    "a pattern of imports": {
      "index.ts": `const n = globalThis.n; const x = await import("../host/" + n + ".json"); ${ANSWER}`,
    },
    "a require": { "index.ts": `const { x } = require("../host/secret"); ${ANSWER}` },
    "a style sheet": {
      "index.ts": `import "./a.css"; const x = 1; ${ANSWER}`,
      "a.css": `@import "../host/secret.txt";`,
    },
    "a package of a parent folder": { "index.ts": `import { x } from "above"; ${ANSWER}` },
    "a climbing package": {
      "index.ts": `import { x } from "dep/../../../host/secret.ts"; ${ANSWER}`,
      "node_modules/dep/index.js": "",
    },
    "a link to a file": { "index.ts": `import { x } from "./l"; ${ANSWER}`, "l.ts": { link: `${host}/secret.ts` } },
    "a broken file behind a link": {
      "index.ts": `import { x } from "./l"; ${ANSWER}`,
      "l.ts": { link: `${host}/broken.ts` },
    },
    "a link to a text module": {
      "index.ts": `import x from "./l.txt"; ${ANSWER}`,
      "l.txt": { link: `${host}/secret.txt` },
    },
    "a link to a folder": { "index.ts": `import { x } from "./l/secret"; ${ANSWER}`, l: { link: host } },
    "the entry file": { "index.ts": { link: `${host}/secret.ts` } },
    "a tsconfig that extends": {
      "index.ts": `const x = 1; ${ANSWER}`,
      "tsconfig.json": `{ "extends": "../host/tsconfig.json" }`,
    },
    "a tsconfig that extends by an absolute path": {
      "index.ts": `const x = 1; ${ANSWER}`,
      "tsconfig.json": `{ "extends": ["${host}/tsconfig"] }`,
    },
    "a chain of tsconfigs": {
      "index.ts": `const x = 1; ${ANSWER}`,
      "tsconfig.json": `{ "extends": "./b.json" }`,
      "b.json": `{ "extends": "../host/tsconfig.json" }`,
    },
    "a tsconfig of a folder below": {
      "index.ts": `import { x } from "./b/x"; ${ANSWER}`,
      "b/x.ts": "export const x = 1;",
      "b/tsconfig.json": `{ "extends": "../../host/tsconfig.json" }`,
    },
    "paths of a tsconfig": {
      "index.ts": `import { x } from "y"; ${ANSWER}`,
      "tsconfig.json": `{ "compilerOptions": { "paths": { "y": ["../host/secret.ts"] } } }`,
    },
    "baseUrl of a tsconfig": {
      "index.ts": `import { x } from "secret"; ${ANSWER}`,
      "tsconfig.json": `{ "compilerOptions": { "baseUrl": "../host" } }`,
    },
    "main of a package": {
      "index.ts": `import { x } from "dep"; ${ANSWER}`,
      "node_modules/dep/package.json": `{ "main": "../../../host/secret.ts" }`,
    },
    "browser of a package": {
      "index.ts": `import { x } from "dep"; ${ANSWER}`,
      "node_modules/dep/package.json": `{ "main": "a.js", "browser": { "./a.js": "../../../host/secret.ts" } }`,
      "node_modules/dep/a.js": "",
    },
    "a cached package that climbs": {
      "index.ts": `import { x } from "dep"; ${ANSWER}`,
      "node_modules/dep": { link: join(folder, "cache/dep") },
    },
    "the cache by its place": { "index.ts": `import { x } from "../cache/other"; ${ANSWER}` },
    "a source map": {
      "index.ts": `import { x } from "./a"; ${ANSWER}`,
      "a.js": "export const x = 1;\n//# sourceMappingURL=../host/secret.json",
    },
  };
  let number = 0;
  for (const [what, files] of Object.entries(cases)) {
    const root = join(folder, `checkout${number++}`);
    await writeFiles(root, files);
    const built = buildFunction({ root, folder: "", manifest: manifestOf() }, { cacheDir: join(folder, "cache") });
    if (what === "a source map") {
      assert(!JSON.stringify(await built).includes(SECRET), what);
      continue;
    }
    const error = await built.then(
      (bundle) => assert.fail(`${what} was built: ${textOf(bundle)}`),
      (reason: unknown) => reason,
    );
    assert(error instanceof WrkstError && error.code === "ERR_BUNDLE", `${what}: ${error}`);
    const said = JSON.stringify({ ...error, message: error.message });
    // What the repository itself wrote may be repeated.
    const own = JSON.stringify(files).includes(folder) ? [] : [folder];
    for (const word of [SECRET, SECRET.split("-")[0]!, ...own]) assert(!said.includes(word), `${what}: ${said}`);
  }
});

test("tells nothing about whether a file outside exists [C4]", async (t) => {
  const messages = await Promise.all(
    ["/etc/passwd", "/etc/none-of-these"].map(async (path) => {
      const error = await failureOf(t, { files: { "index.ts": `import x from "${path}"; ${ANSWER}` } });
      return error.message.replace(path, "");
    }),
  );
  assert.equal(messages[0], messages[1]);
});

test("ignores tsconfig files above the checkout [C4]", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(folder, {
    "tsconfig.json": `{ "compilerOptions": { "jsxFactory": "fromAbove" } }`,
    "checkout/index.tsx": `const React = {}; const x = <a/>; ${ANSWER}`,
  });
  const bundle = await buildFunction({
    root: join(folder, "checkout"),
    folder: "",
    manifest: manifestOf({ main: "index.tsx" }),
  });
  assert(!textOf(bundle).includes("fromAbove"));
});

test("gives the same bytes below a project as apart from one, behind a barrier [C4]", async (t) => {
  const files: Files = {
    "index.tsx": `import x from "./old"; const React = {}; console.log(<a/>); ${ANSWER}`,
    "old.js": `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = 1; try { require("ws"); } catch {}`,
  };
  const apart = await build(t, { files, manifest: { main: "index.tsx" } });
  const project = await checkout(t, {
    "package.json": `{ "type": "module" }`,
    "tsconfig.json": `{ "compilerOptions": { "jsxFactory": "fromAbove" } }`,
  });
  await writeBarrier(join(project, "work"));
  const root = join(project, "work/tree");
  await writeFiles(root, files);
  const below = await buildFunction({ root, folder: "", manifest: manifestOf({ main: "index.tsx" }) });
  assert.equal(textOf(below), textOf(apart));
});

test("chooses a work folder whose parents resolution cannot use [C4]", async (t) => {
  const folder = await checkout(t, { "a/package.json": "{}", "b/c/x": "", "d/node_modules/x": "" });
  const candidates = ["a/work", "d/e/work", "b/c/work"].map((path) => join(folder, path));
  assert.equal(chooseWorkRoot(candidates), candidates[2]);
  assert.throws(() => chooseWorkRoot(candidates.slice(0, 2)), { code: "ERR_CONFIG" });
});

test("limits bytes and number of the modules", async (t) => {
  const files: Files = { "index.ts": `import x from "./x.bin"; ${ANSWER}`, "x.bin": new Uint8Array(5000) };
  await failureOf(t, { files, settings: { limits: { outputBytes: 4000 } } });
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`m${i}.txt`, `${i}`]));
  const error = await failureOf(t, {
    files: { ...many, "index.js": "export default {};" },
    manifest: { main: "index.js", noBundle: true },
    settings: { limits: { modules: 20 } },
  });
  assert.equal(error.code, "ERR_BUNDLE_LIMIT");
});

test("names modules relative to base_dir", async (t) => {
  const bundle = await build(t, {
    files: { "src/a/index.js": `import "../lib/x.js"; ${ANSWER}`, "src/lib/x.js": "", "README.md": "" },
    manifest: {
      main: "src/a/index.js",
      baseDir: "src",
      noBundle: true,
      rules: [{ type: "ESModule", globs: ["**/*.js"], fallthrough: false }],
    },
  });
  assert.equal(bundle.main, "a/index.js");
  assert.deepEqual(
    bundle.modules.map(({ name }) => name),
    ["a/index.js", "lib/x.js"],
  );
});
