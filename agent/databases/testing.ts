// For the tests of databases: folders, small files, and a writer in another process. Nothing of a program.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { openSqlite } from "../sqlite.js";

export function newFolder(t: Pick<TestContext, "after">): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "wrkst-databases-")));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs SQL on a file as an object would keep it. */
export function writeDatabase(file: string, sql: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const db = openSqlite(file);
  db.pragma("journal_mode = WAL");
  db.exec(sql);
  db.close();
}

/** Values of the first column. */
export function readDatabase(file: string, sql: string): unknown[] {
  const db = openSqlite(file, { readonly: true });
  try {
    return db.prepare(sql).pluck().all();
  } finally {
    db.close();
  }
}

/** Another process that inserts numbers into `t` without pause, from 1 on, until it is told to end. */
export async function startWriter(t: Pick<TestContext, "after">, file: string) {
  const sqlite = new URL("../sqlite.js", import.meta.url).href;
  const script = `
    import { openSqlite } from ${JSON.stringify(sqlite)};
    const db = openSqlite(${JSON.stringify(file)});
    db.pragma("journal_mode = WAL");
    db.exec("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, x BLOB)");
    const insert = db.prepare("INSERT INTO t VALUES (?, randomblob(3000))");
    process.on("disconnect", () => process.exit(0));
    let n = 0;
    setInterval(() => { for (let i = 0; i < 20; i++) insert.run(++n); process.send(n); }, 0);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  let acknowledged = 0;
  child.on("message", (n) => (acknowledged = Number(n)));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return {
    acknowledged: () => acknowledged,
    /** Resolves when more than these were written. */
    async past(count: number): Promise<void> {
      while (acknowledged <= count) await once(child, "message");
    },
  };
}
