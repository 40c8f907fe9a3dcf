// The function that a folder declares, read from disk as the agent reads it from a commit.

import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { createDeclarationReader } from "../agent/manifest/declarations.js";
import type { Manifest, Snapshot, Warning } from "../agent/model.js";
import { Failure } from "./failure.js";
import { describeError, says, TEXT } from "./wording.js";

export interface Project {
  /** Absolute path of what the function may import from: the repository around it. */
  root: string;
  /** The function's folder, relative to `root`, `""` for itself. */
  folder: string;
  manifest: Manifest;
  warnings: Warning[];
}

const FILES = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/** The folder with a wrangler file at or above the one given, as wrangler looks for it. */
export function findFunctionFolder(from: string): string | undefined {
  return parentsOf(from).find((folder) => FILES.some((name) => existsSync(join(folder, name))));
}

/** @throws Failure, WrkstError */
export async function readProject(from: string, environment: string | undefined): Promise<Project> {
  if (!existsSync(from)) throw new Failure(says.noFolder(from));
  const found = findFunctionFolder(from);
  if (found === undefined) throw new Failure(says.noProject(from), TEXT.startProject);
  const root = repositoryRoot(found);
  const folder = relative(root, found).split(sep).join("/");
  const [declaration] = await createDeclarationReader().read(snapshotOf(root, folder), { environment });
  if (declaration?.manifest) return { root, folder, manifest: declaration.manifest, warnings: declaration.warnings };
  const error = declaration?.error;
  throw new Failure(error ? describeError(error) : says.noProject(from), error?.hint);
}

/** The repository; without one the outermost folder that belongs to a package; else the folder itself. */
function repositoryRoot(folder: string): string {
  const parents = parentsOf(folder);
  const having = (name: string) => parents.filter((parent) => existsSync(join(parent, name)));
  return having(".git")[0] ?? having("package.json").at(-1) ?? folder;
}

function parentsOf(folder: string): string[] {
  const start = resolve(folder);
  return dirname(start) === start ? [start] : [start, ...parentsOf(dirname(start))];
}

/** The working folder as if it were a revision. Nothing is refused for what it is: the owner's own machine reads it. */
function snapshotOf(root: string, folder: string): Snapshot {
  const isFile = (path: string) =>
    stat(join(root, path)).then(
      (entry) => entry.isFile(),
      () => false,
    );
  return {
    revision: { source: "", branch: "", commit: "" },
    functionFolders: async () => [folder],
    treeId: async () => undefined,
    list: async (at) =>
      (await readdir(join(root, at), { withFileTypes: true })).map((entry) => ({
        name: entry.name,
        kind: entry.isDirectory() ? ("folder" as const) : ("file" as const),
        id: posix.join(at, entry.name),
      })),
    refused: async () => [],
    read: (path) => readFile(join(root, path)),
    blobId: async (path) => ((await isFile(path)) ? path : undefined),
  };
}
