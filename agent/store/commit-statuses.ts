// What forges are told of commits: where each source's statuses go, and one row for each commit with what its forge is to show.
// Invariant: a row holds the newest word only, so that nothing older is ever told after it.

import type { CommitStatus, CommitStatusDetail, CommitStatusSettings } from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

export interface CommitStatusRecords {
  /** Where they go; undefined: nowhere. */
  settings(source: string): CommitStatusSettings | undefined;
  /** Sealed. */
  token(source: string): string | undefined;
  detail(source: string): CommitStatusDetail | undefined;
  /** What was told before is told no more: it may be another repository now. */
  save(source: string, settings: CommitStatusSettings, token: string): void;
  /** Answers whether there was one. */
  remove(source: string): boolean;
  find(ref: CommitRef): StatusRecord | undefined;
  /** What the forge is to show from now on. Other commits of the source that are pending are superseded by it. */
  want(ref: CommitRef, status: CommitStatus): void;
  /** Rows that differ from what the forge shows, one for each source: the one that waits longest. */
  due(now: number): StatusRecord[];
  /** When the next one is due that is not yet; undefined: none waits. */
  nextAt(now: number): number | undefined;
  /** An attempt is made. */
  begin(row: StatusRecord): void;
  again(row: StatusRecord, at: number): void;
  /** The forge shows it, or never will for that reason. */
  end(row: StatusRecord, problem?: string): void;
}

export interface CommitRef {
  source: string;
  commit: string;
}

export interface StatusRecord extends CommitRef, CommitStatus {
  /** Raised with every word that is new. */
  generation: number;
  attempts: number;
  /** When it was wanted, milliseconds since 1970. */
  at: number;
}

export const COMMIT_STATUSES_SCHEMA = `
  CREATE TABLE commit_reporting (
    source TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    -- Sealed.
    token TEXT NOT NULL,
    sent_at INTEGER,
    problem TEXT
  ) STRICT, WITHOUT ROWID;

  -- A word is to be told while its generation is greater than the one that was.
  CREATE TABLE commit_statuses (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    link TEXT,
    generation INTEGER NOT NULL,
    told INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    UNIQUE (source, "commit")
  ) STRICT;
  CREATE INDEX commit_statuses_next ON commit_statuses (next_at) WHERE told < generation;
`;

/** Milliseconds: nothing waits longer, unless the clock was set back. */
const LONGEST_WAIT = 2 * 86_400_000;
/** Rows that are kept of each source. */
const KEPT = 200;

const COLUMNS = `source, "commit", state, description, link, generation, attempts, at`;

interface ReportingRow {
  settings: string;
  token: string;
  sent_at: number | null;
  problem: string | null;
}

export function createCommitStatuses(db: Db, now: () => number): CommitStatusRecords {
  return { ...createReporting(db), ...createWanting(db, now), ...createTelling(db, now) };
}

function createReporting(db: Db): Pick<CommitStatusRecords, "settings" | "token" | "detail" | "save" | "remove"> {
  const one = db.prepare<[string], ReportingRow>("SELECT * FROM commit_reporting WHERE source = ?");
  const save = db.prepare("INSERT OR REPLACE INTO commit_reporting (source, settings, token) VALUES (?, ?, ?)");
  const remove = db.prepare("DELETE FROM commit_reporting WHERE source = ?");
  const forget = db.prepare("DELETE FROM commit_statuses WHERE source = ?");
  const settingsOf = (row: ReportingRow) => fromJson<CommitStatusSettings>(row.settings);
  return {
    settings(source) {
      const row = one.get(source);
      return row && settingsOf(row);
    },
    token: (source) => one.get(source)?.token,
    detail(source) {
      const row = one.get(source);
      if (!row) return undefined;
      const { sent_at: sentAt, problem } = row;
      return {
        ...settingsOf(row),
        ...(sentAt === null ? {} : { sentAt }),
        ...(problem === null ? {} : { problem }),
      };
    },
    save: db.transaction((source: string, settings: CommitStatusSettings, token: string) => {
      forget.run(source);
      save.run(source, JSON.stringify(settings), token);
    }),
    remove: db.transaction((source: string) => {
      forget.run(source);
      return remove.run(source).changes > 0;
    }),
  };
}

function createWanting(db: Db, now: () => number): Pick<CommitStatusRecords, "find" | "want"> {
  const find = db.prepare<[string, string], StatusRecord>(
    `SELECT ${COLUMNS} FROM commit_statuses WHERE source = ? AND "commit" = ?`,
  );
  const untold = db.prepare(
    `DELETE FROM commit_statuses
     WHERE source = @source AND "commit" <> @commit AND state = 'pending' AND told = 0 AND attempts = 0`,
  );
  const supersede = db.prepare(
    `UPDATE commit_statuses SET state = 'superseded', description = 'superseded by ' || substr(@commit, 1, 7), link = NULL,
       generation = generation + 1, attempts = 0, at = @at, next_at = @at
     WHERE source = @source AND "commit" <> @commit AND state = 'pending'`,
  );
  const write = db.prepare(
    `INSERT INTO commit_statuses (${COLUMNS}, told, next_at)
     VALUES (@source, @commit, @state, @description, @link, 1, 0, @at, 0, @at)
     ON CONFLICT (source, "commit") DO UPDATE SET state = excluded.state, description = excluded.description,
       link = excluded.link, generation = generation + 1, attempts = 0, at = excluded.at, next_at = excluded.next_at`,
  );
  const trim = db.prepare(
    `DELETE FROM commit_statuses WHERE source = @source AND seq NOT IN
       (SELECT seq FROM commit_statuses WHERE source = @source ORDER BY seq DESC LIMIT ${KEPT})`,
  );
  return {
    find: ({ source, commit }) => find.get(source, commit),
    want: db.transaction(({ source, commit }: CommitRef, { state, description, link }: CommitStatus) => {
      const at = now();
      untold.run({ source, commit });
      supersede.run({ source, commit, at });
      write.run({ source, commit, state, description, link, at });
      trim.run({ source });
    }),
  };
}

function createTelling(
  db: Db,
  now: () => number,
): Pick<CommitStatusRecords, "due" | "nextAt" | "begin" | "again" | "end"> {
  const due = db.prepare<[{ now: number }], StatusRecord>(
    `SELECT ${COLUMNS} FROM commit_statuses WHERE seq IN
       (SELECT seq FROM (SELECT seq, row_number() OVER (PARTITION BY source ORDER BY next_at, seq) AS place
          FROM commit_statuses WHERE told < generation AND (next_at <= @now OR next_at > @now + ${LONGEST_WAIT})) WHERE place = 1)`,
  );
  const nextAt = db
    .prepare<[number], number | null>(
      "SELECT min(next_at) FROM commit_statuses WHERE told < generation AND next_at > ?",
    )
    .pluck();
  const begin = db.prepare(
    `UPDATE commit_statuses SET attempts = attempts + 1 WHERE source = ? AND "commit" = ? AND generation = ?`,
  );
  const again = db.prepare(
    `UPDATE commit_statuses SET next_at = ? WHERE source = ? AND "commit" = ? AND generation = ?`,
  );
  const end = db.prepare(`UPDATE commit_statuses SET told = max(told, ?) WHERE source = ? AND "commit" = ?`);
  const note = db.prepare(
    "UPDATE commit_reporting SET problem = @problem, sent_at = coalesce(@sentAt, sent_at) WHERE source = @source",
  );
  return {
    due: (time) => due.all({ now: time }),
    nextAt: (time) => nextAt.get(time) ?? undefined,
    begin: ({ source, commit, generation }) => void begin.run(source, commit, generation),
    again: ({ source, commit, generation }, at) => void again.run(Math.round(at), source, commit, generation),
    end: db.transaction(({ source, commit, generation }: StatusRecord, problem?: string) => {
      end.run(generation, source, commit);
      note.run({ source, problem: problem ?? null, sentAt: problem === undefined ? now() : null });
    }),
  };
}
