// Which files a build depended on, for the next revision to tell whether it must be made again. Looks at names only.

import { dirname, join, resolve } from "node:path";
import type { Metafile } from "esbuild";
import type { Bundle } from "../model.js";
import { ancestors, type Border, isInside, realPath, repositoryPath } from "./confine.js";
import { OWN_NAMESPACES } from "./resolve-plugin.js";
import { checkTsconfigs, tsconfigsOf } from "./tsconfig.js";

/** Files that esbuild read, absolute. What is no file (our stand-ins, data URLs, disabled modules) is left out. */
export function inputFiles(metafile: Metafile, border: Border): string[] {
  return Object.keys(metafile.inputs)
    .filter((name) => !name.startsWith("<") && !OWN_NAMESPACES.some((namespace) => name.startsWith(`${namespace}:`)))
    .map((name) => name.replace(/^\(disabled\):/, ""))
    .map((name) => resolve(border.folder, name))
    .map((file) => (realPath(file) === undefined ? file.replace(/[?#][^/]*$/, "") : file));
}

const CONFIGURATION = [
  "package.json",
  "tsconfig.json",
  "jsconfig.json",
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "pnpm-workspace.yaml",
];

/**
 * The `outsideFiles` and `outsideFolders` of a bundle (see `Bundle`). Checks the tsconfig files of every folder that
 * was read from on the way, and throws ERR_BUNDLE when one leaves the repository.
 */
export function outsideOf(
  files: string[],
  tsconfig: string | undefined,
  border: Border,
): Pick<Bundle, "outsideFiles" | "outsideFolders"> {
  const { root, folder } = border;
  const own = files.map((file) => realPath(file) ?? file).filter((file) => isInside(file, root) && !isInstalled(file));
  const folders = new Set([folder, ...own.map((file) => dirname(file))]);
  const tsconfigs = checkTsconfigs([...tsconfigsOf(folders, root), ...(tsconfig ? [tsconfig] : [])], border);
  const above = new Set([...folders].flatMap((at) => ancestors(at, root)));
  const configuration = [...above]
    .flatMap((at) => CONFIGURATION.map((name) => join(at, name)))
    .filter((path) => realPath(path) !== undefined);
  const outside = [...new Set([...own, ...tsconfigs, ...configuration])].filter(
    (file) => !isInside(file, folder) && isInside(file, root) && !isInstalled(file),
  );
  const parents = [folder, ...outside].flatMap((path) => (path === root ? [] : ancestors(dirname(path), root)));
  const outsideFolders = [...new Set(parents)].filter((path) => !isInside(path, folder));
  return { outsideFiles: named(outside, root), outsideFolders: named(outsideFolders, root) };
}

const isInstalled = (file: string) => file.split(/[\\/]/).includes("node_modules");

const named = (paths: string[], root: string) => paths.map((path) => repositoryPath(path, root)).sort();
