// Artifacts on disk, named by the digest of their bytes. A name is there only with all its bytes, synced; what is read has its digest.

import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../errors.js";
import { digestOf } from "./identity.js";

/** Digests are `sha256:<64 hex>`; a malformed one is a `TypeError`. Failures of the disk are ERR_STORE. */
export interface ArtifactStore {
  /** Keeps the bytes and answers their digest. When it resolves, they survive a crash. What is there already costs one read. */
  put(bytes: Uint8Array): Promise<string>;
  /** The same for many at once, with one sync per folder. On a failure some of them may have been kept. */
  putMany(list: Uint8Array[]): Promise<string[]>;
  /** Throws ERR_NOT_FOUND, or ERR_ARTIFACT_CORRUPT when the bytes do not have the digest. */
  get(digest: string): Promise<Uint8Array>;
  /** Whether there is something under the digest; its bytes are not looked at. */
  has(digest: string): Promise<boolean>;
  /** Forgets an artifact; one that is not there is no error. Must not run beside a `put` of the same bytes. */
  delete(digest: string): Promise<void>;
  /**
   * Forgets what is not among the digests and was written before the time (milliseconds): what a crash left that came after
   * a `put`. Answers how many. Must not run beside a `put`.
   */
  sweep(used: ReadonlySet<string>, before: number): Promise<number>;
  /** Digests of all that is kept, in no order. */
  list(): AsyncIterable<string>;
}

const TEMPORARY = ".tmp";
const SHARDS = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));
const WRITES_AT_ONCE = 16;

/** Opens the folder, creates what is missing of it, and removes what an interrupted `put` left. One process at a time. */
export function openArtifactStore(dir: string): ArtifactStore {
  const temporary = join(dir, TEMPORARY);
  prepareFolders(dir, temporary);

  /** Folders whose entries are known to be on disk. A file that a killed process renamed may be there and yet not synced. */
  const synced = new Set<string>();
  const writing = new Map<string, Promise<void>>();
  const pathOf = (digest: string) => join(dir, shardOf(digest), hexOf(digest));

  async function syncOnce(folder: string): Promise<void> {
    if (synced.has(folder)) return;
    await syncFolder(folder);
    synced.add(folder);
  }

  async function keep(entries: Entry[]): Promise<void> {
    const present = await eachLimited(entries, (entry) => isIntact(pathOf(entry.digest), entry.bytes));
    const missing = entries.filter((_, index) => !present[index]);
    const written = missing.map((entry) => ({ ...entry, temporary: join(temporary, randomUUID()) }));
    try {
      await eachLimited(written, (entry) => writeSynced(entry.temporary, entry.bytes));
      for (const { digest } of written) synced.delete(join(dir, shardOf(digest)));
      await eachLimited(written, (entry) => rename(entry.temporary, pathOf(entry.digest)));
      const folders = new Set(entries.map((entry) => join(dir, shardOf(entry.digest))));
      await eachLimited([dir, ...folders], syncOnce);
    } catch (cause) {
      await Promise.all(written.map((entry) => rm(entry.temporary, { force: true }).catch(() => undefined)));
      throw storeError("keep", cause);
    }
  }

  /** Of several puts of the same bytes at one time, the first writes and the others wait for it. */
  async function putMany(list: Uint8Array[]): Promise<string[]> {
    const digests = list.map(digestOf);
    const mine: Entry[] = [];
    const started = new Set<string>();
    const others: Promise<void>[] = [];
    for (const [index, digest] of digests.entries()) {
      const running = writing.get(digest);
      if (running) others.push(running);
      else if (!started.has(digest)) {
        started.add(digest);
        mine.push({ digest, bytes: list[index]! });
      }
    }
    const writingMine = mine.length ? keep(mine) : Promise.resolve();
    for (const digest of started) writing.set(digest, writingMine);
    try {
      await Promise.all([writingMine, ...others]);
    } finally {
      for (const digest of started) writing.delete(digest);
    }
    return digests;
  }

  async function* list(): AsyncGenerator<string> {
    for (const shard of SHARDS) {
      for (const name of await readdir(join(dir, shard))) {
        if (name.startsWith(shard) && /^[0-9a-f]{64}$/.test(name)) yield `sha256:${name}`;
      }
    }
  }

  async function sweep(used: ReadonlySet<string>, before: number): Promise<number> {
    let swept = 0;
    for await (const digest of list()) {
      if (used.has(digest)) continue;
      const found = await stat(pathOf(digest)).catch(() => undefined);
      if (!found || found.mtimeMs >= before) continue;
      await rm(pathOf(digest), { force: true });
      swept++;
    }
    return swept;
  }

  return {
    put: async (bytes) => (await putMany([bytes]))[0]!,
    putMany,
    get: async (digest) => readChecked(pathOf(digest), digest),
    has: async (digest) => isFile(pathOf(digest)),
    delete: async (digest) => rm(pathOf(digest), { force: true }),
    sweep,
    list,
  };
}

function prepareFolders(dir: string, temporary: string): void {
  try {
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true });
    const present = new Set(readdirSync(dir));
    for (const shard of SHARDS) if (!present.has(shard)) mkdirSync(join(dir, shard));
  } catch (cause) {
    throw storeError("open", cause);
  }
}

interface Entry {
  digest: string;
  bytes: Uint8Array;
}

function hexOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (!hex) throw new TypeError(`expected "sha256:<64 hex>", received "${digest}"`);
  return hex;
}

function shardOf(digest: string): string {
  return hexOf(digest).slice(0, 2);
}

async function isIntact(path: string, bytes: Uint8Array): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size !== bytes.length) return false;
  return readFile(path).then(
    (kept) => kept.equals(bytes),
    () => false,
  );
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ?? false;
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readChecked(path: string, digest: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw storeError("read", cause);
    throw new WrkstError("ERR_NOT_FOUND", `artifact "${digest}" is not in the store`, { cause });
  });
  const received = createHash("sha256").update(bytes).digest("hex");
  if (received === hexOf(digest)) return bytes;
  throw new WrkstError("ERR_ARTIFACT_CORRUPT", `artifact "${digest}" is damaged: received "sha256:${received}"`, {
    hint: "check the disk; the artifact is written again when its function is built again",
  });
}

/** Runs the work for every item, at most `WRITES_AT_ONCE` at a time; rejects only when nothing runs any more. */
async function eachLimited<T, R>(items: Iterable<T>, work: (item: T) => Promise<R>): Promise<R[]> {
  const list = [...items];
  const results: R[] = new Array(list.length);
  let next = 0;
  const worker = async () => {
    while (next < list.length) {
      const index = next++;
      results[index] = await work(list[index]!);
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(WRITES_AT_ONCE, list.length) }, worker));
  const failed = settled.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  return results;
}

const DISK_FULL: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

function storeError(verb: string, cause: unknown): WrkstError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (DISK_FULL.has(code)) {
    return new WrkstError("ERR_STORE", `cannot ${verb} artifacts: no space left on the disk`, {
      cause,
      hint: "free space under DATA_DIR (`df -h`); the work is tried again by itself",
    });
  }
  const hint = "check that DATA_DIR can be read and written by the agent";
  return new WrkstError("ERR_STORE", `cannot ${verb} artifacts: ${message}`, { cause, hint });
}
