// Checks that the tsconfig files a build would use stay inside the repository, and says which they are.

import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { parse } from "jsonc-parser";
import { ancestors, type Border, isAllowed, isInside, outsideError, realPath, repositoryPath } from "./confine.js";

const NAMES = ["tsconfig.json", "jsconfig.json"];
const MAX_BYTES = 1024 ** 2;
/** In paths of a tsconfig: the folder of the file that the chain began with. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is written so in the file.
const CONFIG_DIR = "${configDir}";

/** The tsconfig that esbuild would find for files of a folder: the nearest up to the root. */
export function nearestTsconfig(folder: string, root: string): string | undefined {
  return ancestors(folder, root)
    .flatMap((at) => NAMES.map((name) => join(at, name)))
    .find((path) => realPath(path) !== undefined);
}

/** All tsconfig files of these folders and their parents up to the root. */
export function tsconfigsOf(folders: Iterable<string>, root: string): string[] {
  const all = new Set([...folders].flatMap((folder) => ancestors(folder, root)));
  return [...all].flatMap((at) => NAMES.map((name) => join(at, name))).filter((path) => realPath(path) !== undefined);
}

/**
 * Follows `extends` from each file and answers every file of the chains (absolute). Throws ERR_BUNDLE when a file or one
 * of its `baseUrl`, `paths`, `rootDirs` leaves the repository.
 */
export function checkTsconfigs(files: string[], border: Border): string[] {
  const seen = new Set<string>();
  for (const file of files) follow(file, { border, seen, configDir: dirname(file) });
  return [...seen];
}

interface Chain {
  border: Border;
  seen: Set<string>;
  /** What `${configDir}` stands for. */
  configDir: string;
}

function follow(file: string, chain: Chain): void {
  if (chain.seen.has(file)) return;
  chain.seen.add(file);
  const position = { file: repositoryPath(file, chain.border.root) };
  if (!isAllowed(file, chain.border)) throw outsideError(`"${position.file}"`, position);
  const config = readConfig(file);
  for (const path of pathsOf(config, dirname(file), chain.configDir)) {
    if (!isInside(path, chain.border.root)) throw outsideError("a path", position);
  }
  for (const parent of extendsOf(config)) {
    const found = findParent(parent, dirname(file), chain.border);
    if (found === "outside") throw outsideError(`"${parent}", which the file extends,`, position);
    if (found !== undefined) follow(found, chain);
  }
}

function readConfig(file: string): Record<string, unknown> {
  const text = readFileSync(file, "utf8");
  const config: unknown = text.length > MAX_BYTES ? {} : parse(text, [], { allowTrailingComma: true });
  return isRecord(config) ? config : {};
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const strings = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((item) => typeof item === "string");

const extendsOf = (config: Record<string, unknown>) => strings(config.extends);

/** The folders and files that resolution may be led to, lexically. */
function pathsOf(config: Record<string, unknown>, folder: string, configDir: string): string[] {
  const options = isRecord(config.compilerOptions) ? config.compilerOptions : {};
  const place = (path: string, from: string) => resolve(from, path.replaceAll(CONFIG_DIR, configDir));
  const base = place(strings(options.baseUrl)[0] ?? ".", folder);
  const targets = isRecord(options.paths) ? Object.values(options.paths).flatMap(strings) : [];
  return [base, ...targets.map((path) => place(path, base)), ...strings(options.rootDirs).map((p) => place(p, folder))];
}

function findParent(parent: string, folder: string, border: Border): string | "outside" | undefined {
  if (/^\.\.?(?:[\\/]|$)/.test(parent) || isAbsolute(parent) || /^[A-Za-z]:/.test(parent)) {
    const path = resolve(folder, parent);
    if (!isInside(path, border.root)) return "outside";
    return [path, `${path}.json`, join(path, "tsconfig.json")].find(isFile);
  }
  if (parent.split(/[\\/]/).includes("..")) return "outside";
  const bases = ancestors(folder, border.root).map((at) => join(at, "node_modules", parent));
  return bases.flatMap((path) => [path, `${path}.json`, join(path, "tsconfig.json")]).find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
