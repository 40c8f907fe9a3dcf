// The border of a build: which paths belong to it. Lexical checks are made before a path is looked at, checks of real
// paths before a file's content may influence an answer. Reads links, never contents;
// writes only the barrier it is asked for.

import { lstatSync, realpathSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from "node:path";
import { WrkstError } from "../errors.js";

/** The folders that a build may read. All paths are absolute and real. */
export interface Border {
  /** The checkout. */
  root: string;
  /** The function's folder in it. */
  folder: string;
  /** The cache of installed dependencies, reached through links in the checkout only. */
  cacheDir?: string | undefined;
}

/** Is `path` the folder itself or below it? Lexical. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** `path` as positions and names of the repository are written: relative to its root, with `/`. */
export function repositoryPath(path: string, root: string): string {
  return relative(root, path).split(sep).join("/");
}

/** Real path of a file or folder, or undefined where there is none. */
export function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

/** True when the path is named inside the checkout and really lies there or in the cache of installs. */
export function isAllowed(path: string, border: Border): boolean {
  if (!isInside(path, border.root)) return false;
  const real = realPath(path);
  if (real === undefined) return false;
  return isInside(real, border.root) || (border.cacheDir !== undefined && isInside(real, border.cacheDir));
}

/**
 * Does the specifier name a place outside the checkout, whatever is there? Asked before anything is looked up, so that
 * an answer never tells whether a file of the host exists.
 */
export function leavesRoot(specifier: string, resolveDir: string, root: string): boolean {
  if (/^(?:[\\/]|file:|[A-Za-z]:[\\/])/i.test(specifier)) return true;
  const path = specifier.replaceAll("\\", "/");
  return /(?:^|\/)\.\.(?:\/|$)/.test(path) && !isInside(resolve(resolveDir, path), root);
}

export function outsideError(what: string, position?: { file: string; line?: number; column?: number }): WrkstError {
  return new WrkstError("ERR_BUNDLE", `${what} lies outside the repository`, {
    hint: "import files of the repository or packages that package.json lists",
    position,
  });
}

const MARKS = ["node_modules", "package.json", "tsconfig.json", "jsconfig.json"];

/**
 * The first candidate none of whose parents would be looked into by resolution: no `node_modules`, `package.json`,
 * `tsconfig.json` or `jsconfig.json` above it (the candidate itself is not looked at, it need not exist).
 * Throws ERR_CONFIG when there is none.
 */
export function chooseWorkRoot(candidates: string[]): string {
  const clean = candidates.find((candidate) => foreignMarks(dirname(resolve(candidate))).length === 0);
  if (clean !== undefined) return clean;
  throw new WrkstError("ERR_CONFIG", `no folder to build in: ${candidates.map((path) => `"${path}"`).join(", ")}`, {
    hint: `choose a folder with none of ${MARKS.join(", ")} in its parents, for example with DATA_DIR or TMPDIR`,
  });
}

/**
 * Writes an empty package.json and tsconfig.json into a folder of ours that checkouts lie below, so that none of a
 * project around it (its module type, its compiler options) applies to them. Packages around it are refused anyway.
 */
export async function writeBarrier(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Promise.all(["package.json", "tsconfig.json"].map((name) => writeFile(join(folder, name), "{}\n")));
}

/** Files and folders at or above `folder` that module resolution would find. */
export function foreignMarks(folder: string): string[] {
  const real = realPath(folder) ?? folder;
  return ancestors(real, parse(real).root).flatMap((parent) =>
    MARKS.map((mark) => join(parent, mark)).filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined),
  );
}

/** The folder and its parents up to `top`, innermost first. */
export function ancestors(folder: string, top: string): string[] {
  if (!isAbsolute(folder)) throw new TypeError("expected an absolute path");
  const folders = [folder];
  for (let at = folder; at !== top && dirname(at) !== at; ) {
    at = dirname(at);
    folders.push(at);
  }
  return folders;
}
