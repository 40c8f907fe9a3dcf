// What functions threw and said, on disk for a while. A file of its own: losing it loses nothing that serves, so that writes
// wait for each other and for no disk. Invariant: bounded per function, in time, and in all.

import type { KeptLog } from "../model.js";
import { openExpendable, SqliteError } from "../sqlite.js";
import type { NewKeptLog } from "./describe.js";

export interface LogQuery {
  /** Newest first below this id; absent: from the newest on. */
  before?: number;
  /** Oldest first above this id. */
  after?: number;
  level?: string;
  kind?: KeptLog["kind"];
  limit: number;
}

export interface KeptLogs {
  /** Takes lines of a function; they are on disk a moment later. `id`: of the function, as the registry knows it. */
  add(id: string, logs: NewKeptLog[]): void;
  read(id: string, query: LogQuery): KeptLog[];
  /** Forgets what is too old. */
  prune(): void;
  close(): void;
}

export interface KeptOptions {
  /** Milliseconds. */
  retention: number;
  now(): number;
  /** Told what goes wrong with the file: it was made anew, or cannot be written. */
  onDamage(message: string): void;
  limits?: Partial<KeptLimits>;
}

export interface KeptLimits {
  /** Kept lines of one function. */
  exceptions: number;
  logs: number;
  /** Lines of one function that are taken in one window. */
  ofOne: number;
  /** Bytes of all texts. */
  bytes: number;
}

const LIMITS: KeptLimits = { exceptions: 200, logs: 2000, ofOne: 200, bytes: 256 * 2 ** 20 };
/** Milliseconds that lines wait for others. */
const WINDOW = 500;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    function_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    level TEXT NOT NULL,
    size INTEGER NOT NULL,
    line TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS logs_function ON logs (function_id, kind, id);
  CREATE INDEX IF NOT EXISTS logs_at ON logs (at);
`;

type Row = { id: number; line: string };

export function openKeptLogs(file: string, options: KeptOptions): KeptLogs {
  const { retention, now } = options;
  const limits = { ...LIMITS, ...options.limits };
  const db = openExpendable(file, { schema: SCHEMA, what: "kept logs", onDamage: options.onDamage });
  const insert = db.prepare("INSERT INTO logs (function_id, at, kind, level, size, line) VALUES (?, ?, ?, ?, ?, ?)");
  const trim = db.prepare(
    `DELETE FROM logs WHERE function_id = @id AND kind = @kind AND id <=
     (SELECT id FROM logs WHERE function_id = @id AND kind = @kind ORDER BY id DESC LIMIT 1 OFFSET @keep)`,
  );
  const removeOld = db.prepare("DELETE FROM logs WHERE at < ?");
  const removeFirst = db.prepare("DELETE FROM logs WHERE id IN (SELECT id FROM logs ORDER BY id LIMIT 1000)");
  const total = db.prepare<[], { bytes: number }>("SELECT coalesce(sum(size), 0) AS bytes FROM logs");
  const select = (order: "ASC" | "DESC") =>
    db.prepare<[Record<string, unknown>], Row>(
      `SELECT id, line FROM logs
       WHERE function_id = @id AND id > coalesce(@after, 0) AND (@before IS NULL OR id < @before)
         AND (@level IS NULL OR level = @level) AND (@kind IS NULL OR kind = @kind)
       ORDER BY id ${order} LIMIT @limit`,
    );
  const oldestFirst = select("ASC");
  const newestFirst = select("DESC");

  const waiting = new Map<string, NewKeptLog[]>();
  let timer: NodeJS.Timeout | undefined;
  let bytes = total.get()?.bytes ?? 0;

  /** What was trimmed is not counted down, so that it is summed up where it seems too much. */
  function bound(): void {
    if (bytes <= limits.bytes) return;
    bytes = total.get()?.bytes ?? 0;
    while (bytes > limits.bytes && removeFirst.run().changes > 0) bytes = total.get()?.bytes ?? 0;
  }
  const writeAll = db.transaction(() => {
    for (const [id, logs] of waiting) {
      for (const log of logs) {
        const line = JSON.stringify(log);
        insert.run(id, Math.round(log.at), log.kind, log.level, line.length, line);
        bytes += line.length;
      }
      trim.run({ id, kind: "exception", keep: limits.exceptions });
      trim.run({ id, kind: "log", keep: limits.logs });
    }
    bound();
  });
  /** A full disk loses lines of logs, and nothing else. */
  function surely(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof SqliteError)) throw error;
      options.onDamage(`logs cannot be kept: ${error.message}`);
    }
  }
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.size && db.open) surely(writeAll);
    waiting.clear();
  }

  return {
    add(id, logs) {
      if (!logs.length) return;
      const lines = waiting.get(id) ?? [];
      waiting.set(id, lines);
      lines.push(...logs.slice(0, Math.max(0, limits.ofOne - lines.length)));
      timer ??= setTimeout(flush, WINDOW).unref();
    },
    read(id, query) {
      flush();
      const statement = query.after === undefined ? newestFirst : oldestFirst;
      const rows = statement.all({ id, after: null, before: null, level: null, kind: null, ...query });
      return rows.map((row) => ({ id: row.id, ...(JSON.parse(row.line) as NewKeptLog) }));
    },
    prune() {
      surely(() => void removeOld.run(now() - retention));
    },
    close() {
      flush();
      db.close();
    },
  };
}
