// Reads what a revision has at the places that builds depend on. Reads the snapshot only.
import { createHash } from "node:crypto";
import type { Bundle, BundleInputs, Snapshot } from "../model.js";
import { ABSENT, type Surroundings } from "./plan.js";

/** Files above a function's folder that change how it is built even when the bundle did not read them (yet). */
const TELLING_NAMES = [
  "package.json",
  "tsconfig.json",
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "pnpm-workspace.yaml",
  "yarn.lock",
];

/** Names that a bundler's resolution can find, and migrations; others may come and go without changing a build. */
const RESOLVABLE = /\.(?:[cm]?[jt]sx?|json|sql)$/;

/** Loads everything that the builds' inputs mention, once, so that the plan can be decided without waiting. */
export async function readSurroundings(
  snapshot: Snapshot,
  builds: Iterable<{ inputs: BundleInputs }>,
): Promise<Surroundings> {
  const files = new Set<string>();
  const folders = new Set<string>();
  for (const { inputs } of builds) {
    for (const path in inputs.files) files.add(path);
    for (const path in inputs.folders) folders.add(path);
  }
  const blobs = new Map<string, string | undefined>();
  const names = new Map<string, string | undefined>();
  await Promise.all([
    ...[...files].map(async (path) => blobs.set(path, await snapshot.blobId(path))),
    ...[...folders].map(async (path) => names.set(path, await digestOfNames(snapshot, path))),
  ]);
  return { blobOf: (path) => blobs.get(path), namesOf: (folder) => names.get(folder) };
}

/** The inputs of a bundle that was just made from the snapshot, as the next plan will compare them. */
export async function inputsOf(
  snapshot: Snapshot,
  folder: string,
  bundle: Pick<Bundle, "outsideFiles" | "outsideFolders">,
): Promise<BundleInputs> {
  const files = new Set([...bundle.outsideFiles, ...tellingFiles(folder)]);
  const inputs: BundleInputs = { folder, files: {}, folders: {} };
  for (const path of [...files].sort()) inputs.files[path] = (await snapshot.blobId(path)) ?? ABSENT;
  for (const path of [...bundle.outsideFolders].sort())
    inputs.folders[path] = (await digestOfNames(snapshot, path)) ?? ABSENT;
  return inputs;
}

function tellingFiles(folder: string): string[] {
  return parentsOf(folder).flatMap((parent) => TELLING_NAMES.map((name) => (parent ? `${parent}/${name}` : name)));
}

/** The folders above a folder, nearest first, `""` last; none for `""` itself. */
export function parentsOf(folder: string): string[] {
  if (folder === "") return [];
  const parts = folder.split("/");
  return parts.map((_, index) => parts.slice(0, parts.length - 1 - index).join("/"));
}

async function digestOfNames(snapshot: Snapshot, folder: string): Promise<string | undefined> {
  const entries = await snapshot.list(folder);
  if (!entries) return undefined;
  const names = entries
    .filter((entry) => entry.kind !== "folder" && RESOLVABLE.test(entry.name))
    .map((entry) => entry.name);
  return createHash("sha256").update(names.join("\0")).digest("hex").slice(0, 16);
}
