// Sources and their revisions. `seq` ascends over all sources of the platform.

import type { ErrorReport } from "../errors.js";
import type { PassReport, Revision, SourceStatus } from "../model.js";
import type { Db } from "./database.js";
import { optional, toJson } from "./json.js";

export interface SourceRecord {
  name: string;
  /** URL or path without credentials; `embedded` for the embedded repository. */
  repo: string;
  branch: string;
  path: string;
  state: SourceStatus["state"];
  error?: ErrorReport;
  /** Milliseconds since 1970. */
  lastFetch: number | null;
  createdAt: number;
}

export interface RevisionRecord extends Revision {
  seq: number;
  at: number;
  result: PassReport["result"];
}

export interface Sources {
  sources(): SourceRecord[];
  source(name: string): SourceRecord | undefined;
  /** Creates or replaces a source; its first `createdAt` stays. */
  saveSource(source: Omit<SourceRecord, "createdAt">): void;
  /** The newest recorded revision of a source, whatever became of it. */
  lastRevision(source: string): RevisionRecord | undefined;
  /** Records a revision and answers its `seq`; the commit that was recorded last for the source keeps its own. */
  recordRevision(revision: Revision, at: number, result: PassReport["result"]): number;
  /** The newest revisions, ascending. */
  revisions(limit: number): RevisionRecord[];
}

interface SourceRow {
  name: string;
  repo: string;
  branch: string;
  path: string;
  state: SourceStatus["state"];
  error: string | null;
  last_fetch: number | null;
  created_at: number;
}

const REVISION_COLUMNS = `seq, source, branch, "commit", at, result`;

export function createSources(db: Db, now: () => number): Sources {
  const all = db.prepare<[], SourceRow>("SELECT * FROM sources ORDER BY name");
  const one = db.prepare<[string], SourceRow>("SELECT * FROM sources WHERE name = ?");
  const save = db.prepare(
    `INSERT INTO sources (name, repo, branch, path, state, error, last_fetch, created_at)
     VALUES (@name, @repo, @branch, @path, @state, @error, @lastFetch, @createdAt)
     ON CONFLICT (name) DO UPDATE SET repo = excluded.repo, branch = excluded.branch, path = excluded.path,
       state = excluded.state, error = excluded.error, last_fetch = excluded.last_fetch`,
  );
  const last = db.prepare<[string], RevisionRecord>(
    `SELECT ${REVISION_COLUMNS} FROM revisions WHERE source = ? ORDER BY seq DESC LIMIT 1`,
  );
  const insert = db.prepare(`INSERT INTO revisions (source, branch, "commit", at, result) VALUES (?, ?, ?, ?, ?)`);
  const repeat = db.prepare("UPDATE revisions SET at = ?, result = ? WHERE seq = ?");
  const newest = db.prepare<[number], RevisionRecord>(
    `SELECT * FROM (SELECT ${REVISION_COLUMNS} FROM revisions ORDER BY seq DESC LIMIT ?) ORDER BY seq`,
  );

  function recordRevision(revision: Revision, at: number, result: PassReport["result"]): number {
    const { source, branch, commit } = revision;
    const previous = last.get(source);
    if (previous?.commit === commit && previous.branch === branch) {
      repeat.run(at, result, previous.seq);
      return previous.seq;
    }
    return Number(insert.run(source, branch, commit, at, result).lastInsertRowid);
  }

  return {
    sources: () => all.all().map(sourceOf),
    source: (name) => {
      const row = one.get(name);
      return row && sourceOf(row);
    },
    saveSource: (source) => void save.run({ ...source, error: toJson(source.error), createdAt: now() }),
    lastRevision: (source) => last.get(source),
    recordRevision,
    revisions: (limit) => newest.all(limit),
  };
}

function sourceOf({ error, last_fetch: lastFetch, created_at: createdAt, ...rest }: SourceRow): SourceRecord {
  return { ...rest, lastFetch, createdAt, ...optional<"error", ErrorReport>("error", error) };
}
