// Sources, what is said of them, and their revisions. `seq` ascends over all sources of the platform. The source of the
// environment has no settings here, but may be suspended and have secrets of webhooks.

import type { PassReport, Revision, SealedSecrets, SourceSettings, Suspension } from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

export interface SourceRecord {
  name: string;
  settings: SourceSettings;
  credentials: SealedSecrets;
  /** Milliseconds since 1970. */
  createdAt: number;
}

export interface RevisionRecord extends Revision {
  seq: number;
  at: number;
  result: PassReport["result"];
}

export interface Sources {
  /** By name. */
  sources(): SourceRecord[];
  source(name: string): SourceRecord | undefined;
  /** Creates or replaces a source; its first `createdAt` stays. */
  saveSource(source: Omit<SourceRecord, "createdAt">): void;
  /** By source, also those whose time is over. */
  sourceSuspensions(): Map<string, Suspension>;
  saveSourceSuspension(source: string, suspension: Suspension): void;
  /** Answers whether there was one. */
  deleteSourceSuspension(source: string): boolean;
  /** Sealed, by provider. */
  webhookSecrets(source: string): SealedSecrets;
  saveWebhookSecret(source: string, provider: string, sealed: string): void;
  /** The newest recorded revision of a source, whatever became of it. */
  lastRevision(source: string): RevisionRecord | undefined;
  /** The newest revisions, ascending. */
  revisions(limit: number): RevisionRecord[];
}

export interface SourceRows {
  /** Records a revision and answers its `seq`; the commit that was recorded last for the source keeps its own. */
  recordRevision(revision: Revision, at: number, result: PassReport["result"]): number;
  /** Forgets the source and all that is said of it, but its revisions. */
  forgetSource(name: string): void;
}

interface SourceRow {
  name: string;
  settings: string;
  credentials: string;
  created_at: number;
}

interface SuspensionRow {
  source: string;
  reason: string | null;
  author: string;
  created_at: number;
  expires_at: number | null;
}

const REVISION_COLUMNS = `seq, source, branch, "commit", at, result`;

export function createSources(db: Db, now: () => number): Sources & SourceRows {
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
    ...createSettingsOfSources(db, now),
    ...createSuspensions(db),
    ...createWebhooks(db, now),
    lastRevision: (source) => last.get(source),
    recordRevision,
    revisions: (limit) => newest.all(limit),
    forgetSource: createForget(db),
  };
}

function createSettingsOfSources(db: Db, now: () => number): Pick<Sources, "sources" | "source" | "saveSource"> {
  const all = db.prepare<[], SourceRow>("SELECT * FROM sources ORDER BY name");
  const one = db.prepare<[string], SourceRow>("SELECT * FROM sources WHERE name = ?");
  const save = db.prepare(
    `INSERT INTO sources (name, settings, credentials, created_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, credentials = excluded.credentials`,
  );
  return {
    sources: () => all.all().map(sourceOf),
    source: (name) => {
      const row = one.get(name);
      return row && sourceOf(row);
    },
    saveSource: ({ name, settings, credentials }) =>
      void save.run(name, JSON.stringify(settings), JSON.stringify(credentials), now()),
  };
}

function sourceOf({ name, settings, credentials, created_at: createdAt }: SourceRow): SourceRecord {
  return { name, settings: fromJson(settings), credentials: fromJson(credentials), createdAt };
}

function createSuspensions(
  db: Db,
): Pick<Sources, "sourceSuspensions" | "saveSourceSuspension" | "deleteSourceSuspension"> {
  const all = db.prepare<[], SuspensionRow>("SELECT * FROM source_suspensions");
  const save = db.prepare(
    `INSERT OR REPLACE INTO source_suspensions (source, reason, author, created_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare("DELETE FROM source_suspensions WHERE source = ?");
  return {
    sourceSuspensions: () => new Map(all.all().map((row) => [row.source, suspensionOf(row)])),
    saveSourceSuspension: (source, { reason, author, createdAt, expiresAt }) =>
      void save.run(source, reason ?? null, author, createdAt, expiresAt ?? null),
    deleteSourceSuspension: (source) => remove.run(source).changes > 0,
  };
}

function suspensionOf({ reason, author, created_at: createdAt, expires_at: expiresAt }: SuspensionRow): Suspension {
  return {
    ...{ author, createdAt },
    ...(reason === null ? {} : { reason }),
    ...(expiresAt === null ? {} : { expiresAt }),
  };
}

function createWebhooks(db: Db, now: () => number): Pick<Sources, "webhookSecrets" | "saveWebhookSecret"> {
  const all = db.prepare<[string], { provider: string; secret: string }>(
    "SELECT provider, secret FROM source_webhooks WHERE source = ? ORDER BY provider",
  );
  const save = db.prepare(
    "INSERT OR REPLACE INTO source_webhooks (source, provider, secret, created_at) VALUES (?, ?, ?, ?)",
  );
  return {
    webhookSecrets: (source) => Object.fromEntries(all.all(source).map(({ provider, secret }) => [provider, secret])),
    saveWebhookSecret: (source, provider, sealed) => void save.run(source, provider, sealed, now()),
  };
}

function createForget(db: Db): (name: string) => void {
  const removals = [
    db.prepare("DELETE FROM sources WHERE name = ?"),
    db.prepare("DELETE FROM source_suspensions WHERE source = ?"),
    db.prepare("DELETE FROM source_webhooks WHERE source = ?"),
    db.prepare("DELETE FROM commit_reporting WHERE source = ?"),
    db.prepare("DELETE FROM commit_statuses WHERE source = ?"),
    db.prepare("DELETE FROM settings WHERE key = 'handled.' || ?"),
    db.prepare("DELETE FROM settings WHERE key = 'verified.' || ?"),
    db.prepare("DELETE FROM settings WHERE key = 'pins.' || ?"),
  ];
  return (name) => {
    for (const removal of removals) removal.run(name);
  };
}
