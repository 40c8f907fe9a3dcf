// Snapshots as files: `<folder>/<database id>/<snapshot id>.sqlite`. A name is there only with a whole, synced file under it.
import { randomBytes } from "node:crypto";
import { constants, readdirSync, rmSync, statSync } from "node:fs";
import { copyFile, link, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { WrkstError } from "../errors.js";
import type { Copier } from "./copier.js";

export interface SnapshotFiles {
  /** Copies a live database. Where the file is not there, nothing was ever written: the snapshot is empty then. */
  take(database: string, id: string, from: string, tables: string[]): Promise<{ size: number; migrations: string[] }>;
  path(database: string, id: string): string;
  has(database: string, id: string): boolean;
  /**
   * Puts a checked copy of the snapshot where an object will look for it. Nothing may have opened the object yet.
   * @throws WrkstError ERR_STORE where the snapshot is damaged
   */
  place(database: string, id: string, target: string): Promise<void>;
  /** A copy to be written to and thrown away: neither checked nor synced. */
  lend(database: string, id: string, target: string): Promise<void>;
  /** As `place`, with what a live database holds now. */
  placeLive(from: string, target: string): Promise<void>;
  /** Another name for the same bytes. */
  link(database: string, from: string, to: string): Promise<void>;
  remove(database: string, id: string): void;
  /** Removes what a crash left: halves, and files that `isKnown` does not know. Nothing may be at work. */
  sweep(isKnown: (database: string, id: string) => boolean): void;
}

const HALF = ".part";
const ENDING = ".sqlite";

/** Sorts by time: `<16 hex of the milliseconds>-<8 hex>`. */
export function newSnapshotId(at: number, random = randomBytes(4).toString("hex")): string {
  return `${Math.trunc(at).toString(16).padStart(16, "0")}-${random}`;
}

export function isSnapshotId(text: string): boolean {
  return /^[0-9a-f]{16}-[0-9a-f]{8}$/.test(text);
}

export function openSnapshotFiles(folder: string, copier: Copier): SnapshotFiles {
  const path = (database: string, id: string) => join(folder, partOf(database), `${partOf(id)}${ENDING}`);
  return {
    path,
    has: (database, id) => statSync(path(database, id), { throwIfNoEntry: false })?.isFile() === true,
    async take(database, id, from, tables) {
      const target = path(database, id);
      const half = `${target}${HALF}`;
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      try {
        const isThere = statSync(from, { throwIfNoEntry: false }) !== undefined;
        const migrations = isThere ? await copier.copy(from, half, tables) : await writeEmpty(half);
        const { size } = statSync(half);
        await settle(half, target);
        return { size, migrations };
      } catch (error) {
        removeWithLogs(half);
        throw storeError(error);
      }
    },
    async place(database, id, target) {
      const half = `${target}${HALF}`;
      try {
        removeWithLogs(target);
        if (statSync(path(database, id)).size === 0) return;
        await mkdir(dirname(target), { recursive: true });
        await copyFile(path(database, id), half, constants.COPYFILE_FICLONE);
        await copier.check(half);
        await markLogged(half);
        await settle(half, target);
      } catch (error) {
        removeWithLogs(half);
        throw storeError(error);
      }
    },
    async lend(database, id, target) {
      try {
        await copyFile(path(database, id), target, constants.COPYFILE_FICLONE);
      } catch (error) {
        removeWithLogs(target);
        throw storeError(error);
      }
    },
    async placeLive(from, target) {
      const half = `${target}${HALF}`;
      try {
        await mkdir(dirname(target), { recursive: true });
        await copier.copy(from, half, []);
        await markLogged(half);
        await settle(half, target);
      } catch (error) {
        removeWithLogs(half);
        throw storeError(error);
      }
    },
    async link(database, from, to) {
      try {
        await link(path(database, from), path(database, to));
        await syncFile(dirname(path(database, to)));
      } catch (error) {
        throw storeError(error);
      }
    },
    remove: (database, id) => removeWithLogs(path(database, id)),
    sweep(isKnown) {
      for (const database of namesIn(folder)) {
        for (const name of namesIn(join(folder, database))) {
          const id = name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : "";
          if (!isSnapshotId(id) || !isKnown(database, id)) rmSync(join(folder, database, name), { force: true });
        }
      }
    },
  };
}

/** Removes halves that a crash left where objects lie. */
export function sweepHalves(folder: string): void {
  for (const name of namesIn(folder))
    if (name.includes(`${ENDING}${HALF}`)) rmSync(join(folder, name), { force: true });
}

/** No client's text becomes a path. */
function partOf(name: string): string {
  if (/^[0-9a-f-]+$/.test(name)) return name;
  throw new TypeError(`expected an id, received "${name}"`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ENOTDIR")
      return [];
    throw error;
  }
}

function removeWithLogs(file: string): void {
  for (const suffix of ["-wal", "-shm", "-journal", ""]) rmSync(`${file}${suffix}`, { force: true });
}

async function writeEmpty(file: string): Promise<string[]> {
  await rm(file, { force: true });
  const handle = await open(file, "wx", 0o600);
  await handle.sync();
  await handle.close();
  return [];
}

/** Where both versions of the format are told in the header of a file, and the one with a log (WAL) that objects use. */
const FORMAT = { offset: 18, logged: Buffer.from([2, 2]) };

/**
 * An object that had to bring its file to that format could not begin while anybody reads it, as whoever copies it does. Synced.
 * See https://sqlite.org/fileformat2.html#file_format_version_numbers.
 */
async function markLogged(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.write(FORMAT.logged, 0, FORMAT.logged.length, FORMAT.offset);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function settle(half: string, target: string): Promise<void> {
  await rename(half, target);
  await syncFile(dirname(target));
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function storeError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof WrkstError || code === undefined) return error;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new WrkstError(
    "ERR_STORE",
    `cannot write a copy of the database: ${full ? "no space left on the disk" : message}`,
    {
      cause: error,
      hint: full ? "free space under DATA_DIR (`df -h`)" : "check that DATA_DIR can be read and written by the agent",
    },
  );
}
