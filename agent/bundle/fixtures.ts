// Functions that exercise what wrangler does, each with a request whose answer must be the same from our bundle and from
// wrangler's. Used by tests only.

import type { Manifest } from "../model.js";
import type { Files } from "./testing.js";

export interface Fixture {
  /** Files of the repository; the function lies in `folder`. */
  files: Files;
  folder?: string;
  manifest?: Partial<Manifest>;
  /** Packages of this project that it may import. */
  packages?: string[];
}

const NODE = { compatibilityFlags: ["nodejs_compat"], compatibilityDate: "2026-07-01" };
const answer = (expression: string) =>
  `export default { async fetch() { return new Response(String(${expression})); } };\n`;

/** Exports `add(a, b)`. */
const WASM = Buffer.from("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b", "hex");

export const FIXTURES: Record<string, Fixture> = {
  typescript: {
    files: {
      "index.ts": `enum Colour { Red = "red", Blue = "blue" }
class Point { constructor(public x: number, private y = 2) {} sum(): number { return this.x + this.y; } }
export default { fetch(): Response { return new Response(Colour.Blue + new Point(40).sum()); } } satisfies ExportedHandler;`,
    },
  },
  jsx: {
    files: {
      "tsconfig.json": `{ // comment
        "compilerOptions": { "jsx": "react", "jsxFactory": "h", "jsxFragmentFactory": "Fragment", }, }`,
      "index.tsx": `import { h, Fragment } from "./h";
export default { fetch() { return new Response(<><b id="x">{1 + 1}</b></>); } };`,
      "h.ts": `export const Fragment = "fragment";
export const h = (tag: string, props: object | null, ...children: unknown[]) => "<" + tag + JSON.stringify(props) + ">" + children.join("");`,
    },
    manifest: { main: "index.tsx" },
  },
  "jsx in js": {
    files: {
      "index.js": `const React = { createElement: (tag, props, child) => tag + child };\n${answer("<p>hi</p>")}`,
    },
    manifest: { main: "index.js" },
  },
  "several modules, some above the folder": {
    folder: "functions/a",
    files: {
      "functions/a/src/index.ts": `import { one } from "./one"; import { shared } from "../../../lib/shared.js";\n${answer("one + shared()")}`,
      "functions/a/src/one.ts": "export const one = 1;",
      "lib/shared.ts": `import text from "./shared.txt"; export const shared = () => 41 + text;`,
      "lib/shared.txt": "shared text",
    },
    manifest: { main: "src/index.ts" },
  },
  hono: {
    files: {
      "index.ts": `import { Hono } from "hono"; const app = new Hono(); app.get("/", (c) => c.json({ hono: c.req.method })); export default app;`,
    },
    packages: ["hono"],
  },
  "CommonJS dependency that requires modules of Node": {
    files: {
      "index.js": `import hash, { named } from "old"; ${answer("hash('x') + named")}`,
      "node_modules/old/package.json": `{ "name": "old", "version": "1.0.0", "main": "lib" }`,
      "node_modules/old/lib/index.js": `"use strict";
const { createHash } = require("crypto"); const util = require("node:util"); const EventEmitter = require("events");
class Mine extends EventEmitter {}
module.exports = (text) => createHash("sha256").update(text).digest("hex") + util.format("%s", 1) + new Mine().listenerCount("x");
module.exports.named = require("path").join("a", "..", "b") + typeof require("fs").readFileSync;`,
    },
    manifest: { main: "index.js", ...NODE },
  },
  pg: {
    files: {
      "index.ts": `import pg, { Client } from "pg"; const client = new Client({ host: "127.0.0.1", port: 1, password: "x" });
${answer("typeof pg.Pool + client.port + client.host + pg.types.getTypeParser(23)('7')")}`,
    },
    packages: [
      "pg",
      "pg-cloudflare",
      "pg-connection-string",
      "pg-pool",
      "pg-protocol",
      "pg-types",
      "pgpass",
      "pg-int8",
      "postgres-array",
      "postgres-bytea",
      "postgres-date",
      "postgres-interval",
      "split2",
      "xtend",
    ],
    manifest: NODE,
  },
  nodejs_compat: {
    files: {
      "index.ts": `import { Buffer } from "node:buffer"; import path from "path"; import * as crypto from "node:crypto"; import { EventEmitter } from "events";
import process from "node:process";
${answer("Buffer.from('hi').toString('hex') + path.join('a','b') + crypto.randomUUID().length + typeof EventEmitter + typeof process.env + typeof setImmediate + globalThis.Buffer.name")}`,
    },
    manifest: NODE,
  },
  "a module of Node that workerd does not have yet": {
    files: {
      "index.ts": `import child from "node:child_process"; import { spawn } from "child_process"; const lazy = () => child.spawn("x");
let said = "nothing"; try { lazy(); } catch { said = "thrown"; }
${answer("typeof child.spawn + typeof spawn + said")}`,
    },
    manifest: { compatibilityDate: "2025-10-01", compatibilityFlags: ["nodejs_compat"] },
  },
  nodejs_als: {
    files: {
      "index.ts": `import { AsyncLocalStorage } from "node:async_hooks"; const als = new AsyncLocalStorage();\n${answer("als.run(7, () => als.getStore())")}`,
    },
    manifest: { compatibilityFlags: ["nodejs_als"] },
  },
  "text, data and wasm": {
    files: {
      "src/index.ts": `import text from "./a.txt"; import html from "./page.html"; import sql from "../x/q.sql"; import bin from "./b.bin"; import wasm from "./add.wasm"; import again from "./add.wasm?module";
const { exports } = new WebAssembly.Instance(wasm);
${answer("text + html + sql + new Uint8Array(bin).join() + exports.add(40, 2) + (again instanceof WebAssembly.Module)")}`,
      "src/a.txt": "text ü",
      "src/page.html": "<b>",
      "x/q.sql": "select 1",
      "src/b.bin": new Uint8Array([1, 2, 255]),
      "src/add.wasm": WASM,
    },
    manifest: { main: "src/index.ts" },
  },
  "a wasm module of a package": {
    files: {
      "index.ts": `import wasm from "adder/add.wasm"; ${answer("new WebAssembly.Instance(wasm).exports.add(1, 2)")}`,
      "node_modules/adder/package.json": `{ "name": "adder", "version": "1.0.0" }`,
      "node_modules/adder/add.wasm": WASM,
    },
  },
  "own rules": {
    files: {
      "index.ts": `import query from "./q.graphql"; import bytes from "./x.dat"; import text from "./t.txt";\n${answer("query + bytes.byteLength + text")}`,
      "q.graphql": "{ me }",
      "x.dat": "1234",
      "t.txt": "still text",
    },
    manifest: {
      rules: [
        { type: "Text", globs: ["**/*.graphql"], fallthrough: true },
        { type: "Data", globs: ["**/*.dat"], fallthrough: false },
      ],
    },
  },
  "no_bundle with additional modules": {
    files: {
      "src/index.js": `import { x } from "./lib/x.js"; import text from "./a.txt"; ${answer("x + text")}`,
      "src/lib/x.js": `import { y } from "./y.js"; export const x = 1 + y;`,
      "src/lib/y.js": "export const y = 2;",
      "src/a.txt": "text",
    },
    manifest: {
      main: "src/index.js",
      noBundle: true,
      rules: [{ type: "ESModule", globs: ["**/*.js"], fallthrough: false }],
    },
  },
  find_additional_modules: {
    files: {
      "src/index.ts": `import { own } from "./own"; export default { async fetch() { const name = "en"; const { hi } = await import("./lang/" + name + ".mjs"); const stat = await import("./lang/de.mjs"); return new Response(hi + stat.hi + own); } };`,
      "src/own.ts": "export const own = 3;",
      "src/lang/en.mjs": `export const hi = "hello";`,
      "src/lang/de.mjs": `export const hi = "hallo";`,
    },
    manifest: {
      main: "src/index.ts",
      findAdditionalModules: true,
      rules: [{ type: "ESModule", globs: ["lang/*.mjs"], fallthrough: false }],
    },
  },
  preserve_file_names: {
    files: { "index.ts": `import t from "./texts/a.txt"; ${answer("t")}`, "texts/a.txt": "kept" },
    manifest: { preserveFileNames: true },
  },
  alias: {
    files: {
      "index.ts": `import { a } from "replaced"; import b from "other"; ${answer("a + b")}`,
      "shim.js": "export const a = 'shim';",
      "node_modules/real/package.json": `{ "name": "real", "version": "1.0.0", "main": "index.js" }`,
      "node_modules/real/index.js": `module.exports = "real";`,
    },
    manifest: { alias: { replaced: "./shim.js", other: "real" } },
  },
  define: {
    files: { "index.ts": `declare const FLAG: string, NUMBER: number;\n${answer("FLAG + NUMBER")}` },
    manifest: { define: { FLAG: `"flag"`, NUMBER: "42" } },
  },
  "minify and names": {
    files: {
      "index.ts": `function veryLongName() {} class AlsoLong {}\n${answer("veryLongName.name + AlsoLong.name + fetch.toString().length")}`,
    },
    manifest: { minify: true },
  },
  "tsconfig paths": {
    files: {
      "tsconfig.json": `{ "extends": "./tsconfig.base.json" }`,
      "tsconfig.base.json": `{ "compilerOptions": { "baseUrl": ".", "paths": { "@/*": ["src/*"], "only": ["src/only.ts"] } } }`,
      "src/index.ts": `import { x } from "@/x"; import { only } from "only"; ${answer("x + only")}`,
      "src/x.ts": "export const x = 'x';",
      "src/only.ts": "export const only = 'only';",
    },
    manifest: { main: "src/index.ts" },
  },
  "named tsconfig": {
    files: {
      "tsconfig.worker.json": `{ "compilerOptions": { "paths": { "lib": ["./lib.ts"] } } }`,
      "index.ts": `import { x } from "lib"; ${answer("x")}`,
      "lib.ts": "export const x = 'by tsconfig';",
    },
    manifest: { tsconfig: "tsconfig.worker.json" },
  },
  "dynamic import": {
    files: {
      "index.ts": `export default { async fetch() { const { late } = await import("./late"); return new Response(late); } };`,
      "late.ts": `export const late = "late";`,
    },
  },
  "JSON import": {
    files: {
      "index.ts": `import all, { a } from "./x.json"; import b from "./y.json" with { type: "json" }; ${answer("a + all.b + b.length")}`,
      "x.json": `{ "a": 1, "b": 2 }`,
      "y.json": "[1,2,3]",
    },
  },
  "conditions of exports and imports": {
    files: {
      "package.json": `{ "name": "self", "imports": { "#env": { "workerd": "./workerd.js", "default": "./none.js" } } }`,
      "index.ts": `import main from "many"; import sub from "many/sub/deep"; import env from "#env"; import old from "oldstyle"; ${answer("main + sub + env + old")}`,
      "workerd.js": "export default 'W';",
      "none.js": "export default 'N';",
      "node_modules/many/package.json": `{ "name": "many", "version": "1.0.0", "exports": { ".": { "node": "./node.js", "workerd": { "import": "./workerd.mjs", "require": "./node.js" }, "default": "./node.js" }, "./sub/*": { "browser": "./sub/*.browser.js", "default": "./node.js" } } }`,
      "node_modules/many/node.js": "module.exports = 'node';",
      "node_modules/many/workerd.mjs": "export default 'workerd';",
      "node_modules/many/sub/deep.browser.js": "export default 'deep';",
      "node_modules/oldstyle/package.json": `{ "name": "oldstyle", "version": "1.0.0", "main": "main.js", "module": "module.js", "browser": { "./module.js": "./browser.js" } }`,
      "node_modules/oldstyle/main.js": "module.exports = 'main';",
      "node_modules/oldstyle/module.js": "export default 'module';",
      "node_modules/oldstyle/browser.js": "export default 'browser';",
    },
  },
  "default imports of CommonJS from both kinds of packages": {
    files: {
      "index.ts": `import a from "esmish"; import b from "./plain.mjs"; ${answer("JSON.stringify(a) + JSON.stringify(b)")}`,
      "plain.mjs": `import dep from "cjs-dep"; export default dep;`,
      "node_modules/esmish/package.json": `{ "name": "esmish", "version": "1.0.0", "type": "module", "main": "index.js", "sideEffects": false }`,
      "node_modules/esmish/index.js": `import dep from "cjs-dep"; export default dep;`,
      "node_modules/cjs-dep/package.json": `{ "name": "cjs-dep", "version": "1.0.0" }`,
      "node_modules/cjs-dep/index.js": `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = "inner";`,
    },
  },
  "process.env and navigator": {
    files: {
      "index.ts": answer(
        "process.env.NODE_ENV + globalThis.process.env.NODE_ENV + navigator.userAgent + (typeof document === 'undefined')",
      ),
    },
  },
  "entrypoint classes": {
    files: {
      "index.ts": `import { WorkerEntrypoint, env } from "cloudflare:workers"; import { connect } from "cloudflare:sockets";
export class Admin extends WorkerEntrypoint { ping() { return "pong"; } }
export default class extends WorkerEntrypoint { async fetch() { return new Response(Admin.name + typeof connect + JSON.stringify(env)); } }`,
    },
  },
  "top-level await": {
    files: {
      "index.ts": `const x = await Promise.resolve(5); import { y } from "./y"; ${answer("x + y")}`,
      "y.ts": "export const y = await 6;",
    },
  },
  "side effects and tree shaking": {
    files: {
      "index.ts": `import { used } from "pure"; import "effect"; ${answer("used + globalThis.effect + globalThis.impure")}`,
      "node_modules/pure/package.json": `{ "name": "pure", "version": "1.0.0", "type": "module", "main": "i.js", "sideEffects": false }`,
      "node_modules/pure/i.js": `export { used } from "./used.js"; export { unused } from "./unused.js";`,
      "node_modules/pure/used.js": "export const used = 'used';",
      "node_modules/pure/unused.js": "globalThis.impure = 'impure'; export const unused = 1;",
      "node_modules/effect/package.json": `{ "name": "effect", "version": "1.0.0" }`,
      "node_modules/effect/index.js": "globalThis.effect = 'effect';",
    },
  },
};
