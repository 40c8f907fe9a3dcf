// What wrangler 4.86.0 makes of each function in fixtures.ts: names of modules, sorted, and the answer. `npm run test:long` compares
// all of it with a run of wrangler. Used by tests only.

export const OF_WRANGLER: Record<string, { modules: string[]; body: string }> = {
  typescript: { modules: ["index.js"], body: "blue42" },
  jsx: { modules: ["index.js"], body: '<fragmentnull><b{"id":"x"}>2' },
  "jsx in js": { modules: ["index.js"], body: "phi" },
  "several modules, some above the folder": {
    modules: ["a2cef7c9afad54d26f81c76254c9e10d40aae42e-shared.txt", "index.js"],
    body: "141shared text",
  },
  hono: { modules: ["index.js"], body: '{"hono":"GET"}' },
  "CommonJS dependency that requires modules of Node": {
    modules: ["index.js"],
    body: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a488110bfunction",
  },
  pg: { modules: ["index.js"], body: "function1127.0.0.17" },
  nodejs_compat: { modules: ["index.js"], body: "6869a/b36functionobjectfunctionBuffer" },
  "a module of Node that workerd does not have yet": { modules: ["index.js"], body: "functionfunctionthrown" },
  nodejs_als: { modules: ["index.js"], body: "7" },
  "text, data and wasm": {
    modules: [
      "3232003928f9fe86a9cb634f450d5a53a4025819-q.sql",
      "32a381ada11954ecfe2c16852f3a518f14c92ffb-a.txt",
      "ce14e11cd864de1ad5a5b9c9627eb036d292e8e5-b.bin",
      "d51311d0b2e3e6afdaa2fcf55e5e966f756a5114-page.html",
      "f2f415504deccd0e0a3a17df30fb123b0f773ce2-add.wasm",
      "index.js",
    ],
    body: "text ü<b>select 11,2,25542true",
  },
  "a wasm module of a package": {
    modules: ["f2f415504deccd0e0a3a17df30fb123b0f773ce2-add.wasm", "index.js"],
    body: "3",
  },
  "own rules": {
    modules: [
      "4902c64a44fe5db16324d8b2ef6a9d63bd5803ff-t.txt",
      "7110eda4d09e062aa5e4a390b0a572ac0d2c0220-x.dat",
      "c7973d9e85c25be62c861c156e308ef586369a12-q.graphql",
      "index.js",
    ],
    body: "{ me }4still text",
  },
  "no_bundle with additional modules": { modules: ["a.txt", "index.js", "lib/x.js", "lib/y.js"], body: "3text" },
  find_additional_modules: { modules: ["index.js", "lang/de.mjs", "lang/en.mjs"], body: "hellohallo3" },
  preserve_file_names: { modules: ["index.js", "texts/a.txt"], body: "kept" },
  alias: { modules: ["index.js"], body: "shimreal" },
  define: { modules: ["index.js"], body: "flag42" },
  "minify and names": { modules: ["index.js"], body: "veryLongNameAlsoLong34" },
  "tsconfig paths": { modules: ["index.js"], body: "xonly" },
  "named tsconfig": { modules: ["index.js"], body: "by tsconfig" },
  "dynamic import": { modules: ["index.js"], body: "late" },
  "JSON import": { modules: ["index.js"], body: "6" },
  "conditions of exports and imports": { modules: ["index.js"], body: "workerddeepWbrowser" },
  "default imports of CommonJS from both kinds of packages": {
    modules: ["index.js"],
    body: '{"default":"inner"}{"default":"inner"}',
  },
  "process.env and navigator": { modules: ["index.js"], body: "productionproductionCloudflare-Workerstrue" },
  "entrypoint classes": { modules: ["index.js"], body: "Adminfunction{}" },
  "top-level await": { modules: ["index.js"], body: "11" },
  "side effects and tree shaking": { modules: ["index.js"], body: "usedeffectundefined" },
};
