// Builds everything into dist/: Node code file by file (so that worker files and source positions keep their places),
// code for workerd bundled, one file per *.worker.ts. Takes well under a second; prints nothing when all is well.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build as esbuild, transform } from "esbuild";

const NODE_FOLDERS = ["agent", "d1", "e2e", "bench"];
const common = { outdir: "dist", outbase: ".", sourcemap: "linked", logLevel: "warning", target: "es2023" };

/** Every .ts file under the folder, fixtures and dependencies left out. */
async function filesOf(folder) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const nested = await Promise.all(
    entries.map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory())
        return ["node_modules", "fixtures", "testdata", "dist"].includes(entry.name) ? [] : filesOf(path);
      return entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts") ? [path] : [];
    }),
  );
  return nested.flat();
}

/** In the bundle of the command, esbuild is loaded when the first function is built, not when the command starts. */
const esbuildWhenNeeded = {
  name: "esbuild-when-needed",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^esbuild$/ }, ({ namespace }) =>
      namespace === "lazy" ? { path: "esbuild", external: true } : { path: "esbuild", namespace: "lazy" },
    );
    onLoad({ filter: /.*/, namespace: "lazy" }, () => ({
      contents: 'export const build = async (options) => (await import("esbuild")).build(options);',
    }));
  },
};

/** Commander can start programs, which ours has none of: loading what starts them would be a tenth of the time to start. */
const childrenWhenNeeded = {
  name: "children-when-needed",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer) ? { path: "children", namespace: "children" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "children" }, () => ({
      contents: 'module.exports = { get spawn() { return require("node:child_process").spawn; } };',
    }));
  },
};

/** The source that every isolate parses before the function's own, minified. */
const minifiedPrelude = {
  name: "minified-prelude",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]runtime[\\/]prelude\.ts$/ }, async ({ path }) => {
      const { outputFiles } = await esbuild({ entryPoints: [path], bundle: true, format: "esm", write: false });
      const { PRELUDE_SOURCES } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
      const entries = Object.entries(PRELUDE_SOURCES).map(async ([name, source]) => {
        const { code } = await transform(source, { minify: true, format: "esm", target: "es2023" });
        return [name, code];
      });
      const sources = JSON.stringify(Object.fromEntries(await Promise.all(entries)));
      return { contents: `export const PRELUDE_SOURCES = ${sources};` };
    });
  },
};

export async function build() {
  await Promise.all(["dist", "cli/dist"].map((folder) => rm(folder, { recursive: true, force: true })));
  const runtime = await filesOf("runtime");
  const forNode = [
    ...(await Promise.all(NODE_FOLDERS.map(filesOf))).flat(),
    ...runtime.filter((f) => !f.endsWith(".worker.ts")),
  ];
  const forWorkerd = runtime.filter((file) => file.endsWith(".worker.ts"));
  const cli = await filesOf("cli");
  await Promise.all([
    esbuild({ ...common, entryPoints: forNode, platform: "node", format: "esm" }),
    esbuild({
      ...common,
      entryPoints: forWorkerd,
      bundle: true,
      format: "esm",
      external: ["cloudflare:*"],
      plugins: [minifiedPrelude],
      sourcemap: false,
    }),
    esbuild({ ...common, entryPoints: cli, platform: "node", format: "esm" }),
    cli.includes(join("cli", "main.ts")) &&
      esbuild({
        entryPoints: ["cli/main.ts"],
        outfile: "cli/dist/wrkst.cjs",
        bundle: true,
        platform: "node",
        // CommonJS, in which modules are loaded when they are first needed: half of the time to start.
        format: "cjs",
        target: "node20",
        minify: true,
        plugins: [esbuildWhenNeeded, childrenWhenNeeded],
        // The other form of jsonc-parser asks for its files in a way that no bundler sees.
        mainFields: ["module", "main"],
        legalComments: "none",
      }),
  ]);
}

if (import.meta.url === `file://${process.argv[1]}`) await build();
