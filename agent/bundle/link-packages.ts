// Makes an install of the cache resolvable in a checkout: by links, and such that packages of a workspace lead to the
// checkout's own sources. Touches nothing that it did not make.

import { lstat, mkdir, readdir, readFile, readlink, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { WrkstError } from "../errors.js";
import { isInside } from "./confine.js";

/** In a `node_modules` folder of ours: which install it shows. */
const MARK = ".wrkst-install";

export interface Install {
  /** Absolute, in the cache: the place that stands for the root of the links' tree. */
  top: string;
  /** The same place in the checkout. */
  checkout: string;
  /** Digest that names the install. */
  id: string;
}

/** Shows the install's `node_modules` of a folder (relative to both tops) in the checkout. */
export async function linkPackages({ top, checkout, id }: Install, folder: string): Promise<void> {
  const from = join(top, folder, "node_modules");
  const to = join(checkout, folder, "node_modules");
  if ((await lstat(from).catch(() => undefined)) === undefined) return removePackages(join(checkout, folder), top);
  const locals = await localPackages(from, top);
  const state = await stateOf(to);
  if (state === "foreign") throw committed(relative(checkout, to));
  if (state === id || state === from) return;
  const next = `${to}.wrkst-new`;
  await rm(next, { recursive: true, force: true });
  if (locals.size === 0) await symlink(from, next);
  else await fill({ from, to: next, locals, place: (target) => join(checkout, relative(top, target)), id });
  // A folder cannot be replaced by a rename.
  await rm(to, { recursive: true, force: true });
  await rename(next, to);
}

/** Removes what an earlier install showed in a folder of the checkout. */
export async function removePackages(folder: string, cacheDir: string): Promise<void> {
  const path = join(folder, "node_modules");
  const state = await stateOf(path);
  const isOurs = state !== "none" && state !== "foreign" && (!state.startsWith("/") || isInside(state, cacheDir));
  if (isOurs) await rm(path, { recursive: true, force: true });
}

/** Target of a link, the mark of a folder of ours, or that it is missing or somebody else's. */
async function stateOf(path: string): Promise<string> {
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined) return "none";
  if (status.isSymbolicLink()) return readlink(path);
  return readFile(join(path, MARK), "utf8").catch(() => "foreign");
}

function committed(path: string): WrkstError {
  return new WrkstError("ERR_INSTALL", `"${path}" is part of the repository and in the way of a clean install`, {
    hint: `run "git rm -r --cached ${path}" and commit`,
  });
}

/** Links of a node_modules folder that lead to local packages: name → place in the cache. */
async function localPackages(from: string, top: string): Promise<Map<string, string>> {
  const locals = new Map<string, string>();
  const real = await realpath(top);
  for (const name of await namesIn(from)) {
    const path = join(from, name);
    if (!(await lstat(path)).isSymbolicLink()) continue;
    const target = await realpath(path).catch(() => "");
    if (isInside(target, real) && !relative(real, target).split("/").includes("node_modules")) {
      locals.set(name, join(top, relative(real, target)));
    }
  }
  return locals;
}

/** Names of packages, with their scope. */
async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder);
  const nested = entries.map(async (name) =>
    name.startsWith("@") ? (await readdir(join(folder, name))).map((inner) => `${name}/${inner}`) : [name],
  );
  return (await Promise.all(nested)).flat().filter((name) => !name.startsWith("."));
}

interface Filling {
  from: string;
  to: string;
  locals: Map<string, string>;
  place(target: string): string;
  id: string;
}

async function fill({ from, to, locals, place, id }: Filling): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = await namesIn(from);
  const scopes = new Set(names.filter((name) => name.includes("/")).map((name) => name.split("/")[0] ?? ""));
  await Promise.all([...scopes].map((scope) => mkdir(join(to, scope))));
  for (const name of names) {
    const local = locals.get(name);
    await symlink(local === undefined ? join(from, name) : place(local), join(to, name));
  }
  await writeFile(join(to, MARK), id);
}
