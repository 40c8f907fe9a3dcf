// Builds one function with esbuild as wrangler 4 would, confined to a checkout and the cache of installs.
// The bytes depend on the files' contents and their places in the repository only.

import { readFile } from "node:fs/promises";
import { join, parse, relative, resolve, sep } from "node:path";
import { type BuildOptions, type BuildResult, build as esbuild, type Message, type Metafile } from "esbuild";
import { RESERVED_MODULES, RESERVED_PREFIX } from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";
import type { Bundle, BundleModule, Manifest } from "../model.js";
import { type AdditionalModule, findAdditionalModules, tooMany } from "./additional-modules.js";
import { type Border, foreignMarks, isAllowed, isInside, outsideError, realPath, repositoryPath } from "./confine.js";
import { bundleError, bundleWarnings } from "./failure.js";
import { inputFiles, outsideOf } from "./inputs.js";
import { type BundleLimits, DEFAULT_LIMITS } from "./limits.js";
import { type Collected, resolvePlugin } from "./resolve-plugin.js";
import { parseRules } from "./rules.js";
import { checkTsconfigs, nearestTsconfig } from "./tsconfig.js";

export interface BundleRequest {
  /** Absolute path of the checkout. */
  root: string;
  /** The function's folder, relative to the checkout, `""` for the checkout itself. */
  folder: string;
  manifest: Manifest;
}

export interface BuildSettings {
  /** Cache of installs that links in the checkout may lead to. */
  cacheDir?: string | undefined;
  /** Resolve packages from where links lead, as package managers lay them out; off, a path is the same on every machine. */
  followLinks?: boolean;
  limits?: Partial<BundleLimits>;
}

/**
 * Builds in this process, without limits of time and memory: `openBundler` is the one for code of strangers.
 * Throws ERR_BUNDLE with the position in the repository, and ERR_BUNDLE_LIMIT for what is too large.
 */
export async function buildFunction(request: BundleRequest, settings: BuildSettings = {}): Promise<Bundle> {
  const limits = { ...DEFAULT_LIMITS, ...settings.limits };
  const { manifest } = request;
  const root = realPath(request.root);
  if (root === undefined) throw new TypeError("the checkout does not exist");
  const cacheDir = settings.cacheDir === undefined ? undefined : realPath(settings.cacheDir);
  const border: Border = { root, folder: join(root, request.folder), cacheDir };
  const entry = findEntry(manifest, border);
  const base = findBase(manifest, border, entry);
  const rules = parseRules(manifest.rules);
  const wanted = manifest.noBundle || manifest.findAdditionalModules;
  const additional = wanted ? await findAdditionalModules({ base, entry, rules }, limits) : [];
  const { followLinks = false } = settings;
  const job: Job = { border, manifest, entry, base, additional, limits, followLinks };
  const built = manifest.noBundle ? await takeAsIs(job) : await runEsbuild(job, rules);
  return checkBundle(built, limits);
}

interface Job {
  border: Border;
  manifest: Manifest;
  /** Absolute path of the entry file. */
  entry: string;
  /** Absolute path of the folder that module names are relative to. */
  base: string;
  additional: AdditionalModule[];
  limits: BundleLimits;
  followLinks: boolean;
}

function findEntry(manifest: Manifest, border: Border): string {
  const what = `function "${manifest.name}"`;
  if (manifest.main === undefined || manifest.main === "") {
    throw new WrkstError("ERR_BUNDLE", `${what} names no entry file`, {
      hint: 'add main = "src/index.ts" to the wrangler file',
    });
  }
  const entry = resolve(border.folder, manifest.main);
  if (!isInside(entry, border.root)) throw outsideError(`the entry file of ${what}`);
  if (entry.endsWith(".py")) {
    throw new WrkstError("ERR_BUNDLE", `${what} is written in Python, which is not supported`, {
      hint: "write the function in JavaScript or TypeScript",
    });
  }
  if (realPath(entry) === undefined) {
    throw new WrkstError("ERR_BUNDLE", `${what} has no entry file: expected "${repositoryPath(entry, border.root)}"`, {
      hint: "check main in the wrangler file, and that the file is committed",
    });
  }
  if (!isAllowed(entry, border)) throw outsideError(`the entry file of ${what}`);
  return entry;
}

function findBase(manifest: Manifest, border: Border, entry: string): string {
  const base = manifest.baseDir === undefined ? parse(entry).dir : resolve(border.folder, manifest.baseDir);
  if (!isInside(base, border.root) || !isInside(realPath(base) ?? "", border.root)) throw outsideError("base_dir");
  if (!isInside(entry, base)) {
    throw new WrkstError("ERR_BUNDLE", `the entry file "${manifest.main}" lies outside base_dir "${manifest.baseDir}"`);
  }
  return base;
}

/** Name of the main module without extension. */
const stemOf = ({ entry, base }: Job) =>
  relative(base, entry)
    .split(sep)
    .join("/")
    .replace(/\.[^./]*$/, "");

async function runEsbuild(job: Job, rules: ReturnType<typeof parseRules>): Promise<Bundle> {
  const { border, manifest } = job;
  const collected: Collected = { modules: new Map(), files: new Set(), missing: new Set() };
  const own =
    manifest.tsconfig === undefined ? nearestTsconfig(border.folder, border.root) : tsconfigOf(manifest, border);
  if (own !== undefined) checkTsconfigs([own], border);
  const plugin = resolvePlugin({ ...job, rules, outputBytes: job.limits.outputBytes }, collected);
  const result = await run({ ...buildOptions(job, own), plugins: [plugin] }, border, collected);
  const files = [...inputFiles(result.metafile, border), ...collected.files];
  const stray = files.find((file) => !isAllowed(file, border));
  if (stray !== undefined) throw outsideError("a file that is imported");
  const outputs = new Map(result.outputFiles.map((file) => [file.path, file.contents]));
  const main = `${stemOf(job)}.js`;
  const path = join(outFolder(border), main);
  refuseServiceWorker(exportsOf(result.metafile, border, path), job);
  const modules = new Map<string, BundleModule>(job.additional.map(({ file, ...module }) => [module.name, module]));
  for (const module of collected.modules.values()) modules.set(module.name, module);
  if (modules.has(main)) throw new WrkstError("ERR_BUNDLE", `two modules are named "${main}"`);
  modules.set(main, { name: main, kind: "esm", bytes: outputs.get(path) ?? new Uint8Array() });
  return {
    main,
    modules: [...modules.values()],
    sourceMaps: { [main]: relocate(outputs.get(`${path}.map`), path, border) },
    warnings: [...bundleWarnings(result.warnings, border), ...missingWarnings(collected)],
    ...outsideOf(files, own, border),
  };
}

type Result = BuildResult<{ write: false; metafile: true }>;

async function run(options: BuildOptions, border: Border, collected: Collected): Promise<Result> {
  try {
    return await esbuild({ ...options, write: false, metafile: true, logLevel: "silent" });
  } catch (error) {
    if (collected.refusal !== undefined) throw collected.refusal;
    if (error instanceof Error && "errors" in error && Array.isArray(error.errors)) {
      throw bundleError(error.errors as Message[], border);
    }
    throw error;
  }
}

/** Where outputs are said to be; nothing is written. */
const outFolder = ({ folder }: Border) => join(folder, ".wrkst-out");

function buildOptions(job: Job, tsconfig: string | undefined): BuildOptions {
  const { border, manifest } = job;
  return {
    entryPoints: [{ in: job.entry, out: stemOf(job) }],
    bundle: true,
    absWorkingDir: border.folder,
    outdir: outFolder(border),
    format: "esm",
    target: "es2024",
    supported: { "import-source": true },
    loader: { ".js": "jsx", ".mjs": "jsx", ".cjs": "jsx" },
    conditions: ["workerd", "worker", "browser"],
    platform: "browser",
    // Installed packages are links; their paths in the checkout are the same on every machine, those in the cache are not.
    preserveSymlinks: !job.followLinks,
    nodePaths: [],
    keepNames: manifest.keepNames,
    minify: manifest.minify,
    sourcemap: "external",
    sourcesContent: false,
    define: { ...defaultDefines(manifest), ...manifest.define },
    ...tsconfigOption(manifest, border, tsconfig),
  };
}

function defaultDefines({ compatibilityDate, compatibilityFlags }: Manifest): Record<string, string> {
  const hasNavigator =
    compatibilityFlags.includes("global_navigator") ||
    (compatibilityDate >= "2022-03-21" && !compatibilityFlags.includes("no_global_navigator"));
  return {
    ...(hasNavigator ? { "navigator.userAgent": '"Cloudflare-Workers"' } : {}),
    "process.env.NODE_ENV": '"production"',
    "global.process.env.NODE_ENV": '"production"',
    "globalThis.process.env.NODE_ENV": '"production"',
  };
}

/**
 * esbuild looks for a tsconfig beside each file and upward. In a checkout whose parents have one, the function's own
 * applies to all its files instead, so that nothing from above the root does.
 */
function tsconfigOption(manifest: Manifest, border: Border, tsconfig: string | undefined): BuildOptions {
  if (manifest.tsconfig !== undefined && tsconfig !== undefined) return { tsconfig };
  const foreign = foreignMarks(join(border.root, "..")).some((path) => /[jt]sconfig\.json$/.test(path));
  if (!foreign) return {};
  return tsconfig === undefined ? { tsconfigRaw: "{}" } : { tsconfig };
}

function tsconfigOf(manifest: Manifest, border: Border): string {
  const path = resolve(border.folder, manifest.tsconfig ?? "");
  if (!isInside(path, border.root)) throw outsideError("tsconfig of the wrangler file");
  if (realPath(path) !== undefined) return path;
  throw new WrkstError("ERR_BUNDLE", `there is no tsconfig "${repositoryPath(path, border.root)}"`);
}

function exportsOf(metafile: Metafile, border: Border, path: string): string[] {
  const output = Object.entries(metafile.outputs).find(([name]) => resolve(border.folder, name) === path)?.[1];
  return output?.exports ?? [];
}

function refuseServiceWorker(exports: string[], { manifest, entry, border }: Job): void {
  if (exports.length > 0) return;
  throw new WrkstError("ERR_BUNDLE", `the entry file of "${manifest.name}" exports nothing: expected an ES module`, {
    hint: "write export default { fetch(request, env, ctx) { … } }; addEventListener is not supported",
    position: { file: repositoryPath(entry, border.root) },
  });
}

function missingWarnings({ missing }: Collected) {
  return [...missing].sort().map((name) => ({
    message: `"${name}" is not available at this compatibility date: what uses it throws`,
  }));
}

/** The source map with sources relative to the repository's root. */
function relocate(bytes: Uint8Array | undefined, path: string, border: Border): string {
  const map = JSON.parse(Buffer.from(bytes ?? "{}").toString("utf8"));
  const place = (source: string) => {
    const file = resolve(path, "..", source);
    return isInside(file, border.root) ? repositoryPath(file, border.root) : "outside";
  };
  const sources = (map.sources ?? []).map((source: string) => (/^[a-z-]+:/.test(source) ? source : place(source)));
  return JSON.stringify({ ...map, sources });
}

/** no_bundle: the entry and what the rules match, byte by byte. */
async function takeAsIs(job: Job): Promise<Bundle> {
  const { border, entry } = job;
  const position = { file: repositoryPath(entry, border.root) };
  if (!/\.m?js$/.test(entry)) {
    throw new WrkstError("ERR_BUNDLE", `no_bundle takes the entry file as it is: expected JavaScript`, {
      position,
      hint: "name a .js file as main, or remove no_bundle",
    });
  }
  const options = {
    absWorkingDir: border.folder,
    outdir: outFolder(border),
    format: "esm",
    tsconfigRaw: "{}",
  } as const;
  const nothing: Collected = { modules: new Map(), files: new Set(), missing: new Set() };
  const parsed = await run({ ...options, entryPoints: [{ in: entry, out: "entry" }], bundle: false }, border, nothing);
  refuseServiceWorker(exportsOf(parsed.metafile, border, join(outFolder(border), "entry.js")), job);
  const main = relative(job.base, entry).split(sep).join("/");
  const stray = job.additional.find(({ file }) => !isAllowed(file, border));
  if (stray !== undefined) throw outsideError("a module");
  const modules: BundleModule[] = job.additional.map(({ file, ...module }) => module);
  return {
    main,
    modules: [...modules, { name: main, kind: "esm", bytes: await readFile(entry) }],
    sourceMaps: {},
    warnings: [],
    ...outsideOf([entry, ...job.additional.map(({ file }) => file)], undefined, border),
  };
}

function checkBundle(bundle: Bundle, limits: BundleLimits): Bundle {
  const bytes = bundle.modules.reduce((sum, module) => sum + module.bytes.byteLength, 0);
  if (bytes > limits.outputBytes || bundle.modules.length > limits.modules) throw tooMany(limits);
  for (const { name } of bundle.modules) checkName(name);
  return { ...bundle, modules: bundle.modules.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function checkName(name: string): void {
  const parts = name.split("/");
  if (RESERVED_MODULES.includes(name) || parts.some((part) => part.startsWith(RESERVED_PREFIX))) {
    throw new WrkstError("ERR_BUNDLE", `the module name "${name}" is reserved`, { hint: "rename the file" });
  }
  const odd = /[\0-\x1f\\:]/.test(name) || name.length > 512 || parts.some((part) => ["", ".", ".."].includes(part));
  if (odd) throw new WrkstError("ERR_BUNDLE", `the module name ${JSON.stringify(name)} is not allowed`);
}
