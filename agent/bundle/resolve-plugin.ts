// The esbuild plugin that decides what an import is: an alias, a module of its own, a module of the runtime, a package,
// or something that is refused. Plain relative imports that match no rule never reach it.

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";
import { WrkstError } from "../errors.js";
import type { BundleModule, Manifest } from "../model.js";
import type { AdditionalModule } from "./additional-modules.js";
import { type Border, isAllowed, isInside, leavesRoot, realPath } from "./confine.js";
import { isInWorkerd, missingModule, nodeMode, nodeSpecifier, requiredModule } from "./node-builtins.js";
import { isJavaScript, matchRule, type Rule } from "./rules.js";

/** What the plugin gathers during a build. */
export interface Collected {
  /** Modules of their own by name, as found. */
  modules: Map<string, BundleModule>;
  /** Files that they were read from, absolute. */
  files: Set<string>;
  /** First refusal of ours; esbuild would make a text of it. */
  refusal?: WrkstError;
  /** Names that were imported although their module is not in workerd. */
  missing: Set<string>;
}

export interface ResolveOptions {
  border: Border;
  manifest: Manifest;
  rules: Rule[];
  /** Present with find_additional_modules. */
  additional: AdditionalModule[];
  outputBytes: number;
}

/** Marks our own calls of `build.resolve`, which must not come back here. */
const OWN_CALL = { wrkst: "own call" };
/** Marks an import whose specifier is not the one that esbuild would resolve. */
const ALIASED = { wrkst: "aliased" };
const REQUIRED = "wrkst-required";
const MISSING = "wrkst-missing";
export const OWN_NAMESPACES = [REQUIRED, MISSING];

/** Bare and absolute specifiers, and whatever climbs. */
const CANDIDATES = "^[^.]|^\\.[^./\\\\]|\\.\\.|\\\\";

export function resolvePlugin(options: ResolveOptions, collected: Collected): Plugin {
  const patterns = options.rules
    .filter((rule) => options.additional.length > 0 || !isJavaScript(rule))
    .flatMap((rule) => rule.imports.map(({ source }) => source));
  const aliases = Object.keys(options.manifest.alias).map((key) => `^${key.replace(/[-/\\^$*+?.()|[\]{}]/g, "\\$&")}$`);
  return {
    name: "wrkst",
    setup(build) {
      const filter = new RegExp([CANDIDATES, ...aliases, ...patterns].join("|"));
      build.onResolve({ filter }, async (args) => {
        if (args.kind === "entry-point" || args.pluginData === OWN_CALL) return undefined;
        try {
          return await resolveImport(build, args, options, collected);
        } catch (error) {
          if (error instanceof WrkstError) {
            collected.refusal ??= error;
            return { errors: [{ text: error.message, detail: error }] };
          }
          throw error;
        }
      });
      build.onLoad({ filter: /.*/, namespace: REQUIRED }, ({ path }) => ({ contents: requiredModule(path) }));
      build.onLoad({ filter: /.*/, namespace: MISSING }, ({ path }) => ({ contents: missingModule(path) }));
    },
  };
}

async function resolveImport(
  build: PluginBuild,
  args: OnResolveArgs,
  options: ResolveOptions,
  collected: Collected,
): Promise<OnResolveResult | undefined> {
  const alias = Object.hasOwn(options.manifest.alias, args.path) ? options.manifest.alias[args.path] : undefined;
  const { border } = options;
  const path = alias ?? args.path;
  const resolveDir = alias === undefined ? args.resolveDir : border.folder;
  if (leavesRoot(path, resolveDir, border.root)) {
    return { errors: [{ text: `"${path}" lies outside the repository`, detail: { hint: OUTSIDE_HINT } }] };
  }
  const found = findAdditional(path, resolveDir, options);
  if (found !== undefined) return found;
  const rule = matchRule(options.rules, path, "imports");
  if (rule !== undefined && !isJavaScript(rule)) {
    return collectModule(build, { ...args, path, resolveDir }, { rule, options, collected });
  }
  if (path.startsWith("cloudflare:") || path === "__STATIC_CONTENT_MANIFEST") return { path, external: true };
  const node = nodeSpecifier(path);
  if (node !== undefined) {
    const installed = alias === undefined && !path.startsWith("node:") && (await isInstalled(build, args, options));
    return installed ? undefined : resolveNode(node, args, options, collected);
  }
  if (alias === undefined && /^\.\.?(?:\/|$)/.test(path)) return undefined;
  const target = alias === undefined ? args : { ...args, path, resolveDir, pluginData: ALIASED };
  const result = await resolveConfined(build, target, border);
  if (result !== undefined || alias === undefined) return result;
  return { errors: [{ text: `Could not resolve "${path}", the alias of "${args.path}"` }] };
}

const OUTSIDE_HINT = "import files of the repository or packages that package.json lists";

/** A module that is uploaded beside the bundle is imported from there. */
function findAdditional(path: string, resolveDir: string, { additional }: ResolveOptions): OnResolveResult | undefined {
  if (additional.length === 0) return undefined;
  const file = resolve(resolveDir, withoutQuery(path));
  const module = additional.find((candidate) => candidate.file === file);
  return module && { path: `./${module.name}`, external: true };
}

const withoutQuery = (path: string) => path.split("?")[0] ?? path;

async function collectModule(
  build: PluginBuild,
  args: OnResolveArgs,
  { rule, options, collected }: { rule: Rule; options: ResolveOptions; collected: Collected },
): Promise<OnResolveResult> {
  const path = withoutQuery(args.path);
  const { kind, importer, resolveDir } = args;
  const resolved = await build.resolve(path, { kind, importer, resolveDir, pluginData: OWN_CALL });
  const file = resolved.errors.length === 0 && resolved.path ? resolved.path : resolve(args.resolveDir, path);
  if (!isInside(file, options.border.root) || (realPath(file) && !isAllowed(file, options.border))) {
    return { errors: [{ text: `"${path}" lies outside the repository`, detail: { hint: OUTSIDE_HINT } }] };
  }
  const status = await stat(file).catch(() => undefined);
  if (!status?.isFile()) return { errors: [{ text: `Could not resolve "${path}"` }] };
  if (status.size > options.outputBytes) return { errors: [{ text: `"${path}" is larger than a bundle may be` }] };
  const bytes = await readFile(file);
  const hash = createHash("sha1").update(bytes).digest("hex");
  const name = options.manifest.preserveFileNames ? path.replace(/^(?:\.\/)+/, "") : `${hash}-${basename(path)}`;
  const known = collected.modules.get(name);
  if (known !== undefined && !bytes.equals(known.bytes)) {
    return { errors: [{ text: `two different modules are named "${name}": remove preserve_file_names` }] };
  }
  collected.modules.set(name, { name, kind: rule.kind, bytes });
  collected.files.add(file);
  return { path: `./${name}`, external: true };
}

function resolveNode(
  path: string,
  args: OnResolveArgs,
  { manifest }: ResolveOptions,
  collected: Collected,
): OnResolveResult {
  const mode = nodeMode(manifest);
  const lean = mode === "als" && /^node:async_hooks(?:\/|$)/.test(path);
  if (mode !== "full" && !lean) {
    // What is only imported when it is reached may sit behind a check of the environment.
    if (args.kind === "dynamic-import") return { path, external: true };
    return {
      errors: [{ text: `"${args.path}" needs Node.js compatibility`, detail: { hint: NODE_HINT } }],
    };
  }
  if (!lean && !isInWorkerd(path, manifest)) {
    collected.missing.add(path);
    return { path, namespace: MISSING };
  }
  if (args.kind === "require-call") return { path, namespace: REQUIRED };
  return { path, external: true };
}

const NODE_HINT = 'add compatibility_flags = ["nodejs_compat"] to the wrangler file';

/** A package that has the name of one of Node's modules is used only where Node's own cannot be. */
async function isInstalled(
  build: PluginBuild,
  args: OnResolveArgs,
  { manifest, border }: ResolveOptions,
): Promise<boolean> {
  if (nodeMode(manifest) === "full" && isInWorkerd(nodeSpecifier(args.path) ?? "", manifest)) return false;
  const result = await resolveConfined(build, { ...args, pluginData: ALIASED }, border);
  return result?.errors === undefined && result?.namespace === "file";
}

/**
 * A package or a path of tsconfig. What esbuild finds outside the border counts as not found; what a workspace link leads
 * to is taken by its place in the checkout, so that its tsconfig applies and it is the same module however it is imported.
 */
async function resolveConfined(
  build: PluginBuild,
  args: OnResolveArgs,
  border: Border,
): Promise<OnResolveResult | undefined> {
  const { path, kind, importer, resolveDir } = args;
  const result = await build.resolve(path, { kind, importer, resolveDir, with: args.with, pluginData: OWN_CALL });
  // esbuild's own words, and its leniency for a require inside try, apply to what is not there.
  if (result.errors.length > 0) return undefined;
  if (result.external || result.namespace !== "file" || result.path === "") return result;
  if (!isAllowed(result.path, border)) {
    // A require is often optional, inside try; left as it is, it throws when it is reached.
    if (kind === "require-call") return { path, external: true };
    return { errors: [{ text: `Could not resolve "${path}"` }] };
  }
  const real = realPath(result.path) ?? result.path;
  const place = isInside(real, border.root) ? real : result.path;
  // Left to esbuild where its answer is ours: what a plugin resolves loses the "type" of its package.json.
  if (place === result.path && args.pluginData === undefined) return undefined;
  return { path: place, namespace: "file", sideEffects: result.sideEffects, suffix: result.suffix };
}
