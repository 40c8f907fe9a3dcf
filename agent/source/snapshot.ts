// One revision, readable by path. Never follows a link, never leaves the tree, never half a tree: a missing object is an error.

import { WrkstError } from "../errors.js";
import type { RefusedEntry, Revision, Snapshot } from "../model.js";
import { refusedName } from "./names.js";
import type { Objects, Tree, TreeEntry } from "./objects.js";
import { printable } from "./remote.js";

export interface SnapshotLimits {
  /** Bytes of one file. */
  fileSize: number;
  /** Folders inside each other. */
  depth: number;
  /** Files and folders of the whole tree, `node_modules` left out. */
  entries: number;
}

export const SNAPSHOT_LIMITS: SnapshotLimits = { fileSize: 25 * 1024 * 1024, depth: 64, entries: 200_000 };

const CONFIGURATION_FILES = ["wrangler.toml", "wrangler.json", "wrangler.jsonc"];
const LFS_POINTER = "version https://git-lfs.github.com/spec/v1\n";

/** A tree entry that is not read, with the entry that says why. */
export class TreeRefusedError extends WrkstError {
  readonly entry: RefusedEntry;

  constructor(entry: RefusedEntry) {
    super("ERR_TREE_REFUSED", entry.message, {
      hint: HINTS[entry.reason],
      position: { file: printable(entry.path) },
    });
    this.entry = entry;
  }
}

const HINTS: Record<RefusedEntry["reason"], string> = {
  symlink: "commit the file itself instead of a link to it",
  submodule: "commit the files themselves, or install them as a dependency",
  name: "rename the entry",
  "too-large": "keep large files out of the repository",
  "too-deep": "put the folder nearer to the root",
  lfs: "commit the file itself: run `git lfs untrack` and `git lfs migrate export` for it",
};

/** What is known of everything below one tree, paths relative to it. Depends on the tree's id alone. */
interface Summary {
  folders: readonly string[];
  refused: readonly RefusedEntry[];
  entries: number;
  /** Folders inside each other below this one. */
  height: number;
}

export interface SnapshotReader {
  /** @throws ERR_GIT when the commit or its tree is missing. */
  snapshot(revision: Revision, rootPath: string): Promise<Snapshot>;
}

/** Reads snapshots of one repository; what is known of a tree is kept by its id, so that the next revision costs only what it changed. */
export function openSnapshotReader(objects: Objects, limits: SnapshotLimits = SNAPSHOT_LIMITS): SnapshotReader {
  const walker = new Walker(objects, limits);
  return {
    async snapshot(revision, rootPath) {
      const tree = await objects.tree(await objects.treeOf(revision.commit));
      const root = rootPath === "" ? tree : await walker.folder(tree, rootPath);
      return new TreeSnapshot(revision, root, walker, objects, limits);
    },
  };
}

class TreeSnapshot implements Snapshot {
  readonly revision: Revision;
  readonly #root: Tree | undefined;
  readonly #walker: Walker;
  readonly #objects: Objects;
  readonly #limits: SnapshotLimits;

  constructor(revision: Revision, root: Tree | undefined, walker: Walker, objects: Objects, limits: SnapshotLimits) {
    this.revision = revision;
    this.#root = root;
    this.#walker = walker;
    this.#objects = objects;
    this.#limits = limits;
  }

  async functionFolders(): Promise<string[]> {
    return this.#root ? [...(await this.#walker.summary(this.#root, 0)).folders].sort() : [];
  }

  async treeId(folder: string): Promise<string | undefined> {
    return (await this.#folder(folder))?.id;
  }

  async list(folder: string) {
    const tree = await this.#folder(folder);
    if (!tree) return undefined;
    const listed = tree.entries.map(({ name, kind, id }) => ({
      name,
      kind: kind === "file" || kind === "folder" ? kind : ("refused" as const),
      id,
    }));
    return listed.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  async refused(folder: string): Promise<RefusedEntry[]> {
    const tree = await this.#folder(folder);
    if (!tree) return [];
    const { refused } = await this.#walker.summary(tree, folder === "" ? 0 : folder.split("/").length);
    return refused.map((entry) => below(folder, entry));
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const entry = await this.#entry(path);
    if (!entry || entry.kind === "folder") return undefined;
    if (entry.kind !== "file") throw new TreeRefusedError(refusal(path, entry));
    const size = await this.#objects.blobSize(entry.id);
    if (size > this.#limits.fileSize) throw new TreeRefusedError(tooLarge(path, size, this.#limits.fileSize));
    const bytes = await this.#objects.blob(entry.id);
    if (isLfsPointer(bytes)) {
      throw new TreeRefusedError({
        path,
        reason: "lfs",
        message: `"${printable(path)}" is a pointer of Git LFS, not the file itself`,
      });
    }
    return bytes;
  }

  async blobId(path: string): Promise<string | undefined> {
    const entry = await this.#entry(path);
    return entry?.kind === "file" ? entry.id : undefined;
  }

  async #folder(folder: string): Promise<Tree | undefined> {
    return this.#root && this.#walker.folder(this.#root, folder);
  }

  async #entry(path: string): Promise<TreeEntry | undefined> {
    const slash = path.lastIndexOf("/");
    const tree = await this.#folder(slash < 0 ? "" : path.slice(0, slash));
    return tree?.byName.get(path.slice(slash + 1));
  }
}

/** Walks trees and keeps the summaries of those that it saw. */
class Walker {
  readonly #objects: Objects;
  readonly #limits: SnapshotLimits;
  readonly #whole = new Map<string, Summary>();
  readonly #atDepth = new Map<string, Promise<Summary>>();

  constructor(objects: Objects, limits: SnapshotLimits) {
    this.#objects = objects;
    this.#limits = limits;
  }

  async folder(root: Tree, folder: string): Promise<Tree | undefined> {
    let tree = root;
    for (const part of folder === "" ? [] : folder.split("/")) {
      const entry = tree.byName.get(part);
      if (entry?.kind !== "folder") return undefined;
      tree = await this.#objects.tree(entry.id);
    }
    return tree;
  }

  /** A tree that reaches below the depth limit is cut, and where depends on its own depth: that is part of its key then. */
  summary(tree: Tree, depth: number): Promise<Summary> {
    const whole = this.#whole.get(tree.id);
    if (whole && depth + whole.height <= this.#limits.depth) return Promise.resolve(whole);
    const key = `${tree.id}@${depth}`;
    const known = this.#atDepth.get(key);
    if (known) return known;
    const made = this.#summarize(tree, depth);
    remember(this.#atDepth, key, made);
    made.then(
      (summary) => {
        if (summary.height === Number.POSITIVE_INFINITY) return;
        remember(this.#whole, tree.id, summary);
        this.#atDepth.delete(key);
      },
      () => this.#atDepth.delete(key),
    );
    return made;
  }

  async #summarize(tree: Tree, depth: number): Promise<Summary> {
    const wanted = tree.entries.filter(({ name }) => name !== "node_modules");
    this.#limit(wanted.length);
    const parts = await Promise.all(wanted.map((entry) => this.#part(entry, depth)));
    const entries = parts.reduce((sum, part) => sum + part.entries, 0);
    this.#limit(entries);
    const own = CONFIGURATION_FILES.some((name) => tree.byName.get(name)?.kind === "file") ? [""] : [];
    return {
      folders: [...own, ...parts.flatMap((part) => part.folders)],
      refused: parts.flatMap((part) => part.refused),
      entries,
      height: parts.reduce((highest, part) => Math.max(highest, part.height), 0),
    };
  }

  #limit(entries: number): void {
    if (entries <= this.#limits.entries) return;
    throw new WrkstError("ERR_TREE_REFUSED", `the tree holds more than ${this.#limits.entries} files and folders`, {
      hint: "keep generated files out of the repository, or set GIT_PATH to the folder that holds the functions",
    });
  }

  async #part(entry: TreeEntry, depth: number): Promise<Summary> {
    if (entry.kind === "file") return this.#file(entry);
    if (entry.kind !== "folder") return leaf(refusal(entry.name, entry));
    if (depth >= this.#limits.depth) {
      return { ...leaf(tooDeep(entry.name, this.#limits.depth)), height: Number.POSITIVE_INFINITY };
    }
    const inner = await this.summary(await this.#objects.tree(entry.id), depth + 1);
    return {
      folders: inner.folders.map((folder) => (folder === "" ? entry.name : `${entry.name}/${folder}`)),
      refused: inner.refused.map((refused) => below(entry.name, refused)),
      entries: inner.entries + 1,
      height: inner.height + 1,
    };
  }

  async #file(entry: TreeEntry): Promise<Summary> {
    const size = await this.#objects.blobSize(entry.id);
    return size > this.#limits.fileSize ? leaf(tooLarge(entry.name, size, this.#limits.fileSize)) : FILE;
  }
}

/** Sets the key; the oldest one goes when there are too many. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  if (map.size <= 100_000) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}

const FILE: Summary = { folders: [], refused: [], entries: 1, height: 0 };

function leaf(refused: RefusedEntry): Summary {
  return { ...FILE, refused: [refused] };
}

/** The same refusal, seen from the folder above; the message names the path anew. */
function below(folder: string, entry: RefusedEntry): RefusedEntry {
  if (folder === "") return entry;
  const path = `${folder}/${entry.path}`;
  return { ...entry, path, message: entry.message.replace(`"${printable(entry.path)}"`, () => `"${printable(path)}"`) };
}

function refusal(path: string, { kind, name }: TreeEntry): RefusedEntry {
  const quoted = `"${printable(path)}"`;
  if (kind === "symlink") return { path, reason: "symlink", message: `${quoted} is a symbolic link` };
  if (kind === "submodule") return { path, reason: "submodule", message: `${quoted} is a submodule` };
  const why =
    refusedName(Buffer.from(name, "utf8"), name) ?? "the name is not UTF-8, stands there twice, or has an unknown mode";
  return { path, reason: "name", message: `${quoted} is refused: ${why}` };
}

function tooLarge(path: string, size: number, limit: number): RefusedEntry {
  return { path, reason: "too-large", message: `"${printable(path)}" has ${size} bytes: expected at most ${limit}` };
}

function tooDeep(path: string, limit: number): RefusedEntry {
  return { path, reason: "too-deep", message: `"${printable(path)}" lies deeper than ${limit} folders` };
}

function isLfsPointer(bytes: Uint8Array): boolean {
  return (
    bytes.length < 1_024 &&
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1").startsWith(LFS_POINTER)
  );
}
