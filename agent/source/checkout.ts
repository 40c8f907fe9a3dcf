// Writes snapshots out into a folder of its own. Regular files only, never through a link, never outside the folder; only differences are written.

import { writeFileSync } from "node:fs";
import { lstat, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RefusedEntry, Snapshot } from "../model.js";
import { TreeRefusedError } from "./snapshot.js";

export interface Checkout {
  readonly dir: string;
  /** Entries of the last synced snapshot that could be refused only when they were read (LFS pointers, too large), by path. */
  readonly refused: ReadonlyMap<string, RefusedEntry>;
  /**
   * Brings the folder to the content of the snapshot. What it did not write itself, such as the `node_modules` links of the
   * installer, it leaves alone, unless the folder around it goes. Calls wait for each other. After an error or an abort the
   * next call continues from what is there.
   *
   * @throws ERR_GIT when an object is missing; the signal's reason when it was aborted.
   */
  sync(snapshot: Snapshot, signal?: AbortSignal): Promise<{ written: number; removed: number }>;
}

/** What was written to a folder: files by blob id, folders with what is in them. */
interface Written {
  /** Tree id, once everything in it was written. */
  id: string | undefined;
  files: Map<string, string>;
  folders: Map<string, Written>;
}

/** Names that are never written: `node_modules` is the installer's. */
const SKIPPED = new Set(["node_modules"]);
const AT_ONCE = 32;

/** Opens a folder for snapshots. The first `sync` clears it: what an earlier process left there is not trusted. */
export function openCheckout(dir: string): Checkout {
  const refused = new Map<string, RefusedEntry>();
  let root: Written | undefined;
  let inode = 0n;
  let last: Promise<unknown> = Promise.resolve();

  async function sync(snapshot: Snapshot, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    // Somebody may have cleared the folder away: then nothing of what was written is there.
    if ((await inodeOf(dir)) !== inode) root = undefined;
    if (!root) {
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { recursive: true, mode: 0o755 });
      inode = (await inodeOf(dir)) ?? 0n;
      root = emptyFolder();
      refused.clear();
    }
    const pass = new Pass(dir, snapshot, refused, signal);
    try {
      await pass.folder("", await snapshot.treeId(""), root);
    } catch (error) {
      // The disk is not as we left it: begin anew next time.
      if (error instanceof Error && "errno" in error) root = undefined;
      throw error;
    }
    return { written: pass.written, removed: pass.removed };
  }

  return {
    dir,
    refused,
    sync(snapshot, signal) {
      const turn = last.then(() => sync(snapshot, signal));
      last = turn.catch(() => {});
      return turn;
    },
  };
}

async function inodeOf(dir: string): Promise<bigint | undefined> {
  return (await lstat(dir, { bigint: true }).catch(() => undefined))?.ino;
}

function emptyFolder(): Written {
  return { id: undefined, files: new Map(), folders: new Map() };
}

/** One pass over the differences. The memory of what was written changes before the disk, so that a stop leaves no stale claim. */
class Pass {
  written = 0;
  removed = 0;
  readonly #dir: string;
  readonly #snapshot: Snapshot;
  readonly #refused: Map<string, RefusedEntry>;
  readonly #signal: AbortSignal | undefined;
  readonly #slots = new Slots(AT_ONCE);

  constructor(dir: string, snapshot: Snapshot, refused: Map<string, RefusedEntry>, signal: AbortSignal | undefined) {
    this.#dir = dir;
    this.#snapshot = snapshot;
    this.#refused = refused;
    this.#signal = signal;
  }

  async folder(path: string, id: string | undefined, was: Written): Promise<void> {
    if (was.id !== undefined && was.id === id) return;
    this.#signal?.throwIfAborted();
    was.id = undefined;
    const entries = (await this.#snapshot.list(path)) ?? [];
    const wanted = entries.filter(({ name, kind }) => kind !== "refused" && !SKIPPED.has(name));
    const kinds = new Map(wanted.map(({ name, kind }) => [name, kind]));
    await this.#removeOld(path, was, kinds);
    await settled(
      wanted.map(({ name, kind, id: entryId }) => {
        const inner = path === "" ? name : `${path}/${name}`;
        return kind === "folder" ? this.#enter(inner, name, entryId, was) : this.#file(inner, name, entryId, was);
      }),
    );
    was.id = id;
  }

  async #removeOld(path: string, was: Written, kinds: Map<string, string>): Promise<void> {
    const files = [...was.files.keys()].filter((name) => kinds.get(name) !== "file");
    const folders = [...was.folders.keys()].filter((name) => kinds.get(name) !== "folder");
    await settled(
      [...files, ...folders].map(async (name) => {
        const inner = path === "" ? name : `${path}/${name}`;
        await this.#slots.run(() => rm(join(this.#dir, inner), { recursive: true, force: true }));
        was.files.delete(name);
        was.folders.delete(name);
        this.#forget(inner);
        this.removed += 1;
      }),
    );
  }

  #forget(path: string): void {
    for (const key of this.#refused.keys()) {
      if (key === path || key.startsWith(`${path}/`)) this.#refused.delete(key);
    }
  }

  async #enter(path: string, name: string, id: string, was: Written): Promise<void> {
    let inner = was.folders.get(name);
    if (!inner) {
      await this.#slots.run(() => createFolder(join(this.#dir, path)));
      inner = emptyFolder();
      was.folders.set(name, inner);
    }
    await this.folder(path, id, inner);
  }

  async #file(path: string, name: string, id: string, was: Written): Promise<void> {
    if (was.files.get(name) === id) return;
    // An id that no blob has: the file is known to be ours, and not yet to be right.
    was.files.set(name, "");
    this.#refused.delete(path);
    await this.#slots.run(async () => {
      this.#signal?.throwIfAborted();
      const bytes = await this.#read(path);
      if (bytes) {
        await replaceFile(join(this.#dir, path), bytes);
        this.written += 1;
      } else await rm(join(this.#dir, path), { recursive: true, force: true });
    });
    was.files.set(name, id);
  }

  async #read(path: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#snapshot.read(path);
    } catch (error) {
      if (!(error instanceof TreeRefusedError)) throw error;
      this.#refused.set(path, error.entry);
      return undefined;
    }
  }
}

const SMALL = 64 * 1024;

/**
 * Replaces what is there. `wx` fails on anything that is there, links included. A small file is written without handing it
 * to another thread and back three times, which takes longer than the writing.
 */
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const mode = { flag: "wx", mode: 0o644 };
  const write = () => (bytes.length <= SMALL ? writeFileSync(path, bytes, mode) : writeFile(path, bytes, mode));
  try {
    await write();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    await rm(path, { recursive: true, force: true });
    await write();
  }
}

/** Something that is no folder in this place was not written by us: it goes. */
async function createFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if ((await lstat(path)).isDirectory()) return;
    await rm(path, { force: true });
    await mkdir(path, { mode: 0o755 });
  }
}

/** Waits for all, then throws the first error, so that nothing goes on writing behind the caller's back. */
async function settled(tasks: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(tasks);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

/** Lets so many tasks run at once; the others wait in line. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
