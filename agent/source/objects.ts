// Objects of one repository by id, sizes checked before contents are read, parsed trees cached. Read only: never changes the repository.

import { WrkstError } from "../errors.js";
import { type CatFile, type ObjectHeader, openCatFile } from "./cat-file.js";
import { type BaseEnvironment, gitEnvironment } from "./git.js";
import { refusedName } from "./names.js";

export interface TreeEntry {
  name: string;
  kind: "file" | "folder" | "symlink" | "submodule" | "name";
  id: string;
}

/** Entries in git's order and by name. An entry whose name or mode is odd has kind `name` and no place in `byName` to be read from. */
export interface Tree {
  id: string;
  entries: readonly TreeEntry[];
  byName: ReadonlyMap<string, TreeEntry>;
}

export interface Objects {
  /** Type and size of an object or a full reference (`refs/heads/main`), undefined where there is none. */
  header(name: string): Promise<ObjectHeader | undefined>;
  /** Size of a blob. @throws ERR_GIT when it is missing. */
  blobSize(id: string): Promise<number>;
  /** Contents of a blob. The caller has checked `blobSize`. @throws ERR_GIT when it is missing. */
  blob(id: string): Promise<Buffer>;
  tree(id: string): Promise<Tree>;
  /** The bytes of a commit or tag object. @throws ERR_GIT when it is missing, ERR_TREE_REFUSED when it is too large. */
  bytes(id: string, type: "commit" | "tag"): Promise<Buffer>;
  /** Id of the tree of a commit. @throws ERR_GIT when there is no such commit. */
  treeOf(commit: string): Promise<string>;
  close(): void;
}

export interface ObjectsOptions {
  gitDir: string;
  environment?: BaseEnvironment | undefined;
  /** Entries of parsed trees that are kept. */
  cachedEntries?: number;
  /** Milliseconds without a question after which the processes that answer are ended; undefined: never. */
  idle?: number;
  /** Called when an object that must be there is missing or broken. */
  onBroken?: () => void;
}

const TREE_LIMIT = 32 * 1024 * 1024;
const COMMIT_LIMIT = 1024 * 1024;
const ID = /^[0-9a-f]{40}$/;

export function openObjects(options: ObjectsOptions): Objects {
  const environment = gitEnvironment(options.environment);
  const open = (mode: "--batch" | "--batch-check") =>
    openCatFile({ gitDir: options.gitDir, environment, mode, idle: options.idle });
  const headers: CatFile = open("--batch-check");
  const contents: CatFile = open("--batch");
  const trees = new TreeCache(options.cachedEntries ?? 300_000);

  const broken = (message: string) => {
    options.onBroken?.();
    return new WrkstError("ERR_GIT", message, { hint: "the repository lacks objects: fetch or push again" });
  };

  async function read(id: string, type: ObjectHeader["type"], limit = Number.POSITIVE_INFINITY): Promise<Buffer> {
    if (!ID.test(id)) throw new TypeError("not an object id");
    if (limit !== Number.POSITIVE_INFINITY) await sized(id, type, limit);
    const answer = await contents.ask(id).catch((cause: unknown) => {
      options.onBroken?.();
      throw cause;
    });
    if (answer?.type !== type) throw broken(`${type} "${id}" is missing`);
    return answer.bytes;
  }

  async function sized(id: string, type: ObjectHeader["type"], limit: number): Promise<number> {
    const header = await headers.ask(id);
    if (header?.type !== type) throw broken(`${type} "${id}" is missing`);
    if (header.size > limit) {
      throw new WrkstError("ERR_TREE_REFUSED", `${type} "${id}" has ${header.size} bytes: expected at most ${limit}`);
    }
    return header.size;
  }

  return {
    header: (name) => headers.ask(name),
    blobSize: (id) => sized(id, "blob", Number.POSITIVE_INFINITY),
    blob: (id) => read(id, "blob"),
    tree(id) {
      return (
        trees.get(id) ??
        trees.put(
          id,
          read(id, "tree", TREE_LIMIT).then((bytes) => parseTree(id, bytes)),
        )
      );
    },
    bytes: (id, type) => read(id, type, COMMIT_LIMIT),
    async treeOf(commit) {
      const bytes = await read(commit, "commit", COMMIT_LIMIT);
      const id = /^tree ([0-9a-f]{40})\n/.exec(bytes.toString("latin1", 0, 60))?.[1];
      if (id === undefined) throw broken(`commit "${commit}" is malformed`);
      return id;
    },
    close() {
      headers.close();
      contents.close();
    },
  };
}

const KINDS: Record<string, TreeEntry["kind"]> = {
  "40000": "folder",
  "040000": "folder",
  "100644": "file",
  "100755": "file",
  "100664": "file",
  "120000": "symlink",
  "160000": "submodule",
};

/** Reads the bytes of a tree object: `<mode> <name>\0<20 bytes id>`, one after the other. */
export function parseTree(id: string, bytes: Buffer): Tree {
  const entries: TreeEntry[] = [];
  const byName = new Map<string, TreeEntry>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    if (space < 0 || end < 0 || end + 21 > bytes.length) {
      throw new WrkstError("ERR_GIT", `tree "${id}" is malformed`);
    }
    const name = bytes.toString("utf8", space + 1, end);
    const mode = bytes.toString("latin1", at, space);
    const odd = refusedName(bytes.subarray(space + 1, end), name) !== undefined || byName.has(name);
    const kind = odd ? "name" : (KINDS[mode] ?? "name");
    const entry = { name, kind, id: bytes.toString("hex", end + 1, end + 21) };
    entries.push(entry);
    if (!byName.has(name)) byName.set(name, entry);
    at = end + 21;
  }
  return { id, entries, byName };
}

/** The least recently used trees go first; what failed is not kept. */
class TreeCache {
  readonly #limit: number;
  readonly #trees = new Map<string, { tree: Promise<Tree>; weight: number }>();
  #weight = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: string): Promise<Tree> | undefined {
    const found = this.#trees.get(id);
    if (!found) return undefined;
    this.#trees.delete(id);
    this.#trees.set(id, found);
    return found.tree;
  }

  put(id: string, tree: Promise<Tree>): Promise<Tree> {
    const slot = { tree, weight: 1 };
    this.#trees.set(id, slot);
    this.#weight += 1;
    tree.then(
      ({ entries }) => {
        if (this.#trees.get(id) !== slot) return;
        slot.weight += entries.length;
        this.#weight += entries.length;
        this.#shrink();
      },
      () => this.#drop(id),
    );
    return tree;
  }

  #shrink(): void {
    for (const id of this.#trees.keys()) {
      if (this.#weight <= this.#limit) return;
      this.#drop(id);
    }
  }

  #drop(id: string): void {
    this.#weight -= this.#trees.get(id)?.weight ?? 0;
    this.#trees.delete(id);
  }
}
