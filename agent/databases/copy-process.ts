// The child process that copies and checks databases: what people wrote into a schema is evaluated here, never in the
// agent, and ends with this process. Opens live files for reading only; writes nothing but the copy.
import { closeSync, fsyncSync, openSync, rmSync } from "node:fs";
import { type Db, openSqlite } from "../sqlite.js";

export type CopyJob =
  /** Copies a live file; `tables` are those in which migrations may be noted. */
  | { kind: "copy"; from: string; to: string; tables: string[] }
  /** Looks whether a file that nobody has open is whole. */
  | { kind: "check"; file: string };
export interface CopyMessage {
  id: number;
  job: CopyJob;
}
export type CopyAnswer = { id: number; migrations: string[] } | { id: number; error: string };

/** 4 MiB of the usual pages: what is between two looks at the parent. */
const PAGES_PER_STEP = 1024;

async function run(job: CopyJob): Promise<string[]> {
  if (job.kind === "check") {
    withFile(job.file, {}, checkWhole);
    return [];
  }
  await copy(job.from, job.to);
  const migrations = withFile(job.to, {}, (db) => {
    // One file without a log, whatever it was copied from.
    db.pragma("journal_mode = DELETE");
    checkWhole(db);
    return [...new Set(job.tables.flatMap((table) => notedIn(db, table)))];
  });
  syncFile(job.to);
  return migrations;
}

/**
 * The state of one moment, however long it takes: an open reading transaction keeps it while others write, so that no
 * write makes the copy begin anew.
 */
async function copy(from: string, to: string): Promise<void> {
  rmSync(to, { force: true });
  const db = openSqlite(from, { readonly: true, fileMustExist: true });
  try {
    db.pragma("trusted_schema = OFF");
    db.exec("BEGIN");
    db.prepare("SELECT count(*) FROM sqlite_schema").get();
    await db.backup(to, { progress: () => PAGES_PER_STEP });
    db.exec("COMMIT");
  } finally {
    db.close();
  }
}

function withFile<T>(file: string, options: { readonly?: boolean }, work: (db: Db) => T): T {
  const db = openSqlite(file, { fileMustExist: true, ...options });
  try {
    db.pragma("trusted_schema = OFF");
    return work(db);
  } finally {
    db.close();
  }
}

function checkWhole(db: Db): void {
  const found = String(db.pragma("quick_check(1)", { simple: true }));
  // A row that breaks a constraint of its table is what the person has, no damage of the copy.
  if (found !== "ok" && !/^(CHECK constraint failed|NULL value|non-\w+ value|\w+ value in)/.test(found))
    throw new Error(found);
}

function notedIn(db: Db, table: string): string[] {
  const isTable = db.prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?").pluck().get(table);
  if (!isTable) return [];
  const quoted = `"${table.replaceAll('"', '""')}"`;
  const hasName = (db.pragma(`table_info(${quoted})`) as { name: string }[]).some(({ name }) => name === "name");
  if (!hasName) return [];
  return db
    .prepare(`SELECT DISTINCT CAST(name AS TEXT) FROM ${quoted} ORDER BY 1 LIMIT 10000`)
    .pluck()
    .all() as string[];
}

function syncFile(file: string): void {
  const fd = openSync(file, "r");
  fsyncSync(fd);
  closeSync(fd);
}

process.on("disconnect", () => process.exit(0));
process.on("message", async ({ id, job }: CopyMessage) => {
  const answer: CopyAnswer = await run(job).then(
    (migrations) => ({ id, migrations }),
    (error: Error) => ({ id, error: error.message }),
  );
  process.send?.(answer);
});
