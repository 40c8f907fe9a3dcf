// The SQLite file: how it is opened, checked and closed. What was committed survives a crash; a damaged file is reported, never touched.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { WrkstError } from "../errors.js";
import { type Db, openSqlite, SqliteError } from "../sqlite.js";
import { migrate } from "./migrations.js";

export type { Db };

/** Key of the setting that is there only after an orderly close. */
const CLOSED_CLEANLY = "store.closed-cleanly";

/** Opens or creates the file. Throws ERR_STORE for a file that is damaged, newer than this program, or cannot be opened. */
export function openDatabase(file: string): Db {
  return guarded(file, () => {
    mkdirSync(dirname(file), { recursive: true });
    const db = openSqlite(file);
    try {
      db.pragma("journal_mode = WAL");
      db.pragma("synchronous = FULL");
      db.pragma("foreign_keys = ON");
      db.pragma("cache_size = -16000");
      if (!takeCleanMark(db)) checkIntegrity(db);
      migrate(db);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Marks the file as whole and closes it. Closing twice is no error. */
export function closeDatabase(db: Db): void {
  if (!db.open) return;
  db.prepare("INSERT OR REPLACE INTO settings (key, value) VALUES (?, '1')").run(CLOSED_CLEANLY);
  db.close();
}

/** Runs the work and words what SQLite throws. A reference to nothing, or a second of what is unique, is a mistake of the caller. */
export function guarded<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeError(file, error);
  }
}

/** Whether the last close was orderly. The mark is taken away until the next one. A new file counts as clean. */
function takeCleanMark(db: Db): boolean {
  const version = Number(db.pragma("user_version", { simple: true }));
  if (version === 0) return true;
  return db.prepare("DELETE FROM settings WHERE key = ?").run(CLOSED_CLEANLY).changes > 0;
}

function checkIntegrity(db: Db): void {
  const found = String(db.pragma("quick_check(1)", { simple: true }));
  if (found !== "ok") throw new SqliteError(found, "SQLITE_CORRUPT");
}

function storeError(file: string, error: unknown): unknown {
  if (!(error instanceof SqliteError)) return isErrno(error) ? unusable(file, error) : error;
  if (error.code.startsWith("SQLITE_CORRUPT") || error.code === "SQLITE_NOTADB") {
    return new WrkstError("ERR_STORE", `the registry "${file}" is damaged: ${error.message}`, {
      cause: error,
      hint: `stop the agent and restore the file from a backup; without one, move it away with its -wal and -shm files: what git declares is built again at the next start`,
    });
  }
  if (error.code === "SQLITE_FULL") {
    return new WrkstError("ERR_STORE", "cannot write the registry: no space left on the disk", {
      cause: error,
      hint: "free space under DATA_DIR (`df -h`); the work is tried again by itself",
    });
  }
  if (error.code.startsWith("SQLITE_CONSTRAINT")) return new TypeError(error.message, { cause: error });
  return unusable(file, error);
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

function unusable(file: string, error: Error): WrkstError {
  return new WrkstError("ERR_STORE", `cannot use the registry "${file}": ${error.message}`, {
    cause: error,
    hint: "check that the folder can be read and written by the agent, and that no other agent uses it",
  });
}
