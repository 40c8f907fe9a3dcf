// Turns what esbuild says into our errors and warnings. Never passes on a line of source, nor a path of the host.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Location, Message } from "esbuild";
import { type Position, WrkstError } from "../errors.js";
import type { Warning } from "../model.js";
import { ancestors, type Border, isAllowed, isInside, outsideError, repositoryPath } from "./confine.js";

/** The first error, with the number of the others. */
export function bundleError(errors: Message[], border: Border): WrkstError {
  const [first, ...others] = errors;
  if (first === undefined) return new WrkstError("ERR_BUNDLE", "the bundler failed without saying why");
  if (first.detail instanceof WrkstError) return first.detail;
  if (first.location !== null && !isOwn(first.location, border)) return outsideError("a file that is imported");
  const more = others.length === 0 ? "" : ` (and ${others.length} more ${others.length === 1 ? "error" : "errors"})`;
  return new WrkstError("ERR_BUNDLE", wording(first.text, border) + more, {
    hint: hintOf(first, border),
    position: first.location ? positionOf(first.location, border) : undefined,
  });
}

/** Warnings about the repository's own files; those about dependencies are nobody's to mend. */
export function bundleWarnings(warnings: Message[], border: Border): Warning[] {
  return warnings
    .filter(({ location }) => location === null || (isOwn(location, border) && !/node_modules\//.test(location.file)))
    .map(({ text, location }) => ({
      message: wording(text, border),
      ...(location === null ? {} : { position: positionOf(location, border) }),
    }));
}

function isOwn(location: Location, border: Border): boolean {
  if (location.namespace !== "file" && location.namespace !== "") return true;
  return isAllowed(resolve(border.folder, location.file), border);
}

function positionOf({ file, line, column }: Location, border: Border): Position {
  return { file: repositoryPath(resolve(border.folder, file), border.root), line, column: column + 1 };
}

function wording(text: string, { root, cacheDir }: Border): string {
  const plain = text
    .replaceAll(`${root}/`, "")
    .replaceAll(root, ".")
    .replaceAll(cacheDir ?? root, "node_modules");
  const line = plain.split("\n", 1)[0]?.replace(/\.$/, "") ?? "";
  return line.charAt(0).toLowerCase() + line.slice(1);
}

function hintOf({ text, detail }: Message, border: Border): string | undefined {
  if (typeof detail === "object" && detail !== null && typeof detail.hint === "string") return detail.hint;
  const specifier = /^Could not resolve "(.*)"$/.exec(text)?.[1];
  if (specifier !== undefined) return unresolvedHint(specifier, border);
  if (/^No loader is configured for "/.test(text))
    return 'add a [[rules]] entry of type "Text" or "Data" for such files';
  return undefined;
}

function unresolvedHint(specifier: string, border: Border): string {
  if (/^[./#]/.test(specifier)) {
    return "check the path, and that the file is committed; links, submodules and ignored files are not part of it";
  }
  const [name = "", scoped = ""] = specifier.split("/");
  return packageHint(name.startsWith("@") ? `${name}/${scoped}` : name, border);
}

/** What to do about a package that is not there. */
function packageHint(name: string, { folder, root }: Border): string {
  for (const at of ancestors(folder, root).filter((path) => isInside(path, root))) {
    const manifest = readJson(join(at, "package.json"));
    if (manifest === undefined) continue;
    if (name in Object(manifest.dependencies)) {
      return `run "npm install" in "${repositoryPath(at, root) || "."}" and commit package-lock.json`;
    }
    if (name in Object(manifest.devDependencies)) {
      return `move "${name}" from devDependencies to dependencies and run "npm install": devDependencies are not installed`;
    }
  }
  const place = repositoryPath(folder, root) || ".";
  return `run "npm install ${name}" in "${place}" and commit package.json and package-lock.json`;
}

function readJson(path: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}
