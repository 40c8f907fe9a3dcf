// Every function that a snapshot declares, each with its manifest or its error.
// Invariant: the fault of one function is that function's error; only the fault of the source itself is thrown.

import { posix } from "node:path";
import { type ErrorCode, type ErrorReport, type Position, reportOf, WrkstError } from "../errors.js";
import type { Declaration, RefusedEntry, Snapshot } from "../model.js";
import { MAX_MANIFEST_SIZE, parseDocument } from "./document.js";
import { type ManifestReading, readManifest } from "./manifest.js";
import { guessName } from "./name.js";

/** As wrangler looks for them. */
const FILE_NAMES = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];
/** Parsed files that are kept, least recently used first to go: enough for a large repository and its branches. */
const MAX_CACHED = 10_000;
/** Errors that are the function's own; any other means that the source could not be read. */
const OWN_ERRORS: readonly ErrorCode[] = ["ERR_MANIFEST", "ERR_BINDING_UNSUPPORTED", "ERR_TREE_REFUSED"];

interface Cached {
  reading?: ManifestReading;
  error?: ErrorReport;
  /** What could be told of the name of a file with an error. */
  name: string;
}

interface Place {
  folder: string;
  file: string;
  others: string[];
  environment: string | undefined;
}

export interface DeclarationReader {
  /**
   * Declarations of all function folders, sorted by folder. Parsed files are kept by path, blob and environment, so an
   * unchanged file costs one look-up. Throws only what reading the snapshot throws (an outage is no empty repository).
   */
  read(snapshot: Snapshot, options?: { environment?: string | undefined }): Promise<Declaration[]>;
}

/** Creates a reader with a cache of its own. */
export function createDeclarationReader(): DeclarationReader {
  const cache = createCache();
  let last = new Map<string, Seen>();
  return {
    async read(snapshot, { environment } = {}) {
      const folders = [...(await snapshot.functionFolders())].sort(compare);
      const refusals = refusalsByFolder(await snapshot.refused(""), folders);
      const seen = await Promise.all(
        folders.map(async (folder): Promise<Seen> => {
          const treeId = await snapshot.treeId(folder);
          const before = last.get(folder);
          if (before && isSame(before, treeId, environment)) return before;
          const place = await findFile(snapshot, folder, environment);
          const cached = await cache.read(snapshot, place);
          const declaration = await declare(snapshot, { place, cached, refused: refusals.get(folder) ?? [] });
          return { treeId, environment, declaration };
        }),
      );
      last = new Map(seen.map((entry) => [entry.declaration.folder, entry]));
      return refuseSharedNames(seen.map(({ declaration }) => declaration));
    },
  };
}

/** A declaration of the last read, with all that it depends on when it is right and keeps to its folder. */
interface Seen {
  treeId: string | undefined;
  environment: string | undefined;
  declaration: Declaration;
}

function isSame(
  { declaration, ...before }: Seen,
  treeId: string | undefined,
  environment: string | undefined,
): boolean {
  if (treeId === undefined || before.treeId !== treeId || before.environment !== environment) return false;
  return declaration.manifest !== undefined && !posix.normalize(declaration.manifest.main).startsWith("..");
}

function createCache() {
  const kept = new Map<string, Cached>();
  return {
    async read(snapshot: Snapshot, place: Place): Promise<Cached> {
      const blob = await snapshot.blobId(place.file).catch(orUndefined);
      const key = `${place.file}\0${blob}\0${place.environment ?? ""}`;
      const found = kept.get(key);
      kept.delete(key);
      const cached = found ?? (await readFile(snapshot, place));
      // Without a blob there is nothing that the content is known by.
      if (blob !== undefined) kept.set(key, cached);
      if (kept.size > MAX_CACHED) kept.delete(kept.keys().next().value!);
      return cached;
    },
  };
}

/** A refused entry has no blob that may be read; reading it says why. */
function orUndefined(error: unknown): undefined {
  if (error instanceof WrkstError && error.code === "ERR_TREE_REFUSED") return undefined;
  throw error;
}

async function findFile(snapshot: Snapshot, folder: string, environment: string | undefined): Promise<Place> {
  const entries = (await snapshot.list(folder)) ?? [];
  const names = new Set(entries.filter(({ kind }) => kind !== "folder").map(({ name }) => name));
  const [first = FILE_NAMES[2]!, ...others] = FILE_NAMES.filter((name) => names.has(name));
  return { folder, file: posix.join(folder, first), others, environment };
}

async function readFile(snapshot: Snapshot, { folder, file, environment }: Place): Promise<Cached> {
  let text: string | undefined;
  try {
    text = decode(await snapshot.read(file), file);
    const reading = readManifest(parseDocument({ text, file }), environment);
    return { reading, name: reading.manifest.name };
  } catch (error) {
    if (!(error instanceof WrkstError) || !OWN_ERRORS.includes(error.code)) throw error;
    return { error: reportOf(error), name: guessName({ text, file, folder, environment }) };
  }
}

function decode(bytes: Uint8Array | undefined, file: string): string {
  if (!bytes) throw new WrkstError("ERR_MANIFEST", `file "${file}" is missing`, { position: { file } });
  if (bytes.length > MAX_MANIFEST_SIZE) {
    const message = `expected at most ${MAX_MANIFEST_SIZE} bytes, received ${bytes.length}`;
    throw new WrkstError("ERR_MANIFEST", message, { position: { file } });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new WrkstError("ERR_MANIFEST", "expected UTF-8 text", { cause, position: { file } });
  }
}

/** A refused entry belongs to the nearest function folder above it. */
function refusalsByFolder(entries: RefusedEntry[], folders: string[]): Map<string, RefusedEntry[]> {
  const known = new Set(folders);
  const byFolder = new Map<string, RefusedEntry[]>();
  for (const entry of entries) {
    const folder = parentsOf(entry.path).find((parent) => known.has(parent));
    if (folder === undefined) continue;
    const sofar = byFolder.get(folder);
    if (sofar) sofar.push(entry);
    else byFolder.set(folder, [entry]);
  }
  return byFolder;
}

/** `a/b/c` → `a/b`, `a`, and the root, `""`. */
function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return [...parts.map((_, index) => parts.slice(0, parts.length - index).join("/")), ""];
}

interface Found {
  place: Place;
  cached: Cached;
  refused: RefusedEntry[];
}

async function declare(snapshot: Snapshot, { place, cached, refused }: Found): Promise<Declaration> {
  const { folder, file } = place;
  const warnings = [...warningsOfOthers(place), ...(cached.reading?.warnings ?? [])];
  const base = { folder, file, name: cached.name, warnings };
  const error = refused.length ? refusedError(refused) : cached.error;
  if (error || !cached.reading) return { ...base, error: error! };
  try {
    refuseEscapes(cached.reading, folder);
    const main = await findMain(snapshot, cached.reading, folder);
    const { pins } = cached.reading;
    const { bindings } = cached.reading.positions;
    const bindingPositions = Object.keys(bindings).length ? { bindingPositions: bindings } : {};
    return {
      ...base,
      manifest: { ...cached.reading.manifest, main },
      ...bindingPositions,
      ...(pins.length ? { pins } : {}),
    };
  } catch (thrown) {
    if (!(thrown instanceof WrkstError) || !OWN_ERRORS.includes(thrown.code)) throw thrown;
    return { ...base, error: reportOf(thrown) };
  }
}

function warningsOfOthers({ folder, file, others }: Place) {
  return others.map((other) => ({
    message: `"${other}" is ignored: "${posix.basename(file)}" stands beside it`,
    position: { file: posix.join(folder, other) },
  }));
}

function refusedError(entries: RefusedEntry[]): ErrorReport {
  const [first, ...others] = entries as [RefusedEntry, ...RefusedEntry[]];
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  return {
    code: "ERR_TREE_REFUSED",
    message: `${first.message}${more}`,
    hint: HINTS[first.reason],
    position: { file: plain(first.path) },
  };
}

/** The name of a refused entry may hold what a terminal would obey. */
function plain(path: string): string {
  return path.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

const HINTS: Record<RefusedEntry["reason"], string> = {
  symlink: "replace the link with the file itself, or import the file by its real path",
  submodule: "commit the files themselves, or take them as an npm dependency",
  name: "rename it",
  "too-large": "keep large files outside the repository, and fetch them at run time",
  "too-deep": "move it nearer to the root",
  lfs: "commit the file itself: git lfs untrack, then add it again",
};

/** Paths of a manifest may leave the function's folder, but not the source's root. */
function refuseEscapes({ manifest, positions }: ManifestReading, folder: string): void {
  const paths = { main: manifest.main, base_dir: manifest.baseDir, tsconfig: manifest.tsconfig };
  const places = { main: positions.main, base_dir: positions.baseDir, tsconfig: positions.tsconfig };
  for (const key of ["main", "base_dir", "tsconfig"] as const) {
    const path = posix.join(folder, paths[key] ?? "");
    if (path !== ".." && !path.startsWith("../")) continue;
    const message = `expected "${key}" to lie inside the repository, received "${paths[key]}"`;
    throw new WrkstError("ERR_MANIFEST", message, { position: places[key] });
  }
}

/** `main`, with its extension when the file leaves it out, which wrangler allows. */
async function findMain(snapshot: Snapshot, { manifest, positions }: ManifestReading, folder: string): Promise<string> {
  const extensions = posix.extname(manifest.main) === "" ? ["", ".tsx", ".ts", ".jsx", ".js"] : [""];
  for (const extension of extensions) {
    const path = posix.join(folder, manifest.main + extension);
    if ((await snapshot.blobId(path)) !== undefined) return manifest.main + extension;
  }
  throw missingMain(manifest.main, await candidates(snapshot, folder, manifest.main), positions.main);
}

function missingMain(main: string, found: string[], position: Position): WrkstError {
  const hint = found[0] === undefined ? "add the file, or correct the path" : `did you mean main = "${found[0]}"?`;
  return new WrkstError("ERR_MANIFEST", `entry file "${main}" does not exist`, { hint, position });
}

/** Files that may have been meant: first those of the same name, then the usual ones. */
async function candidates(snapshot: Snapshot, folder: string, main: string): Promise<string[]> {
  const stem = main.slice(0, main.length - posix.extname(main).length);
  const stems = [stem, posix.join(main, "index"), "src/index", "index", "src/worker", "worker", "src/main"];
  const paths = stems.flatMap((name) => [".ts", ".tsx", ".js", ".mjs", ".jsx"].map((extension) => name + extension));
  const found = await Promise.all(paths.map((path) => snapshot.blobId(posix.join(folder, path)).catch(orUndefined)));
  return paths.filter((_, index) => found[index] !== undefined);
}

/** Of functions that share a name none is deployed: which of them was meant is not for us to say. */
function refuseSharedNames(declarations: Declaration[]): Declaration[] {
  const byName = new Map<string, Declaration[]>();
  for (const declaration of declarations) {
    if (!declaration.manifest) continue;
    byName.set(declaration.name, [...(byName.get(declaration.name) ?? []), declaration]);
  }
  return declarations.map((declaration) => {
    const sharers = declaration.manifest ? byName.get(declaration.name)! : [];
    return sharers.length > 1 ? withSharedName(declaration, sharers) : declaration;
  });
}

function withSharedName({ manifest: _, ...declaration }: Declaration, sharers: Declaration[]): Declaration {
  const files = sharers.map(({ file }) => `"${file}"`).join(" and ");
  return {
    ...declaration,
    error: {
      code: "ERR_NAME_TAKEN",
      message: `function "${declaration.name}" is declared in ${files}`,
      hint: "give each function a name of its own",
      position: { file: declaration.file },
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
