// One agent per data folder, and no runtime that outlives its agent unnoticed.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../errors.js";
import { type Db, openSqlite, SqliteError } from "../sqlite.js";
import { findByEnvironment, type Identity, isRunning, killGroup } from "./identity.js";
import { recordFolder } from "./run-folder.js";

export interface DataDirLock {
  release(): Promise<void>;
}

/** Variable in the environment of each workerd: names the data folder it works for. */
export const OWNER_VARIABLE = "WRKST_RUNTIME_OF";

/**
 * Takes the data folder for this process. The lock is SQLite's on a file, that is the operating system's: it ends with
 * the process, however that ends.
 * @throws ERR_DATA_DIR_LOCKED with the pid of the agent that has it; ERR_CONFIG when the folder cannot be written.
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const folder = recordFolder(dataDir);
  const holder = join(folder, "agent.json");
  const lock = openLock(folder);
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!(error instanceof SqliteError) || !error.code.startsWith("SQLITE_BUSY")) throw unwritable(dataDir, error);
    const pid = readRecord(holder)?.pid;
    throw new WrkstError(
      "ERR_DATA_DIR_LOCKED",
      `data folder "${dataDir}" is in use by another agent${pid ? `, pid ${pid}` : ""}`,
      {
        hint: `stop that agent${pid ? ` (kill ${pid})` : ""}, or set DATA_DIR to another folder`,
      },
    );
  }
  writeFileSync(holder, JSON.stringify({ pid: process.pid }), { mode: 0o600 });
  const free = () => {
    rmSync(holder, { force: true });
    lock.close();
  };
  // Also what keeps the database from being collected, and the lock with it, when the caller forgets it.
  process.once("exit", free);
  return {
    async release() {
      process.off("exit", free);
      free();
    },
  };
}

/**
 * Ends every workerd that an earlier agent of this data folder left running, and waits until they are gone, so that port
 * and `do/` are free. The caller holds the lock. Returns the pids.
 */
export async function endOrphans(dataDir: string): Promise<number[]> {
  const folder = recordFolder(dataDir);
  const records = readdirSync(folder).filter((name) => name.startsWith("workerd-") && name.endsWith(".json"));
  const recorded = records.flatMap((name) => readRecord(join(folder, name)) ?? []);
  // An agent that was killed between the start of its runtime and the note about it left no note.
  const unrecorded = findByEnvironment(OWNER_VARIABLE, await realpath(dataDir));
  const orphans = new Map([...recorded.filter(isRunning), ...unrecorded].map((orphan) => [orphan.pid, orphan]));
  await Promise.all([...orphans.values()].map(killGroup));
  for (const name of records) rmSync(join(folder, name), { force: true });
  return [...orphans.keys()];
}

/** Notes who runs before it serves. Synchronous, so that nothing happens between the start and the note. */
export function writeRecord(dataDir: string, identity: Identity): string {
  const file = join(recordFolder(dataDir), `workerd-${identity.pid}.json`);
  writeFileSync(file, JSON.stringify(identity), { mode: 0o600 });
  return file;
}

function openLock(folder: string): Db {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return openSqlite(join(folder, "lock.sqlite"), { timeout: 0 });
  } catch (error) {
    throw unwritable(folder, error);
  }
}

function unwritable(folder: string, cause: unknown): WrkstError {
  return new WrkstError("ERR_CONFIG", `data folder "${folder}" cannot be used: ${(cause as Error).message}`, {
    hint: "set DATA_DIR to a folder that this user may write",
    cause,
  });
}

function readRecord(file: string): Identity | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Identity;
  } catch {
    return undefined;
  }
}
