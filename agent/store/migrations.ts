// The schema of the registry as a list of steps. A step that was released is never changed; `user_version` counts the steps taken.

import type { Database } from "better-sqlite3";
import { WrkstError } from "../errors.js";
import { ACCESS_SCHEMA } from "./access-schema.js";
import { COMMIT_STATUSES_SCHEMA } from "./commit-statuses.js";
import { COPIES_SCHEMA } from "./copies-schema.js";
import { DATABASES_SCHEMA } from "./databases-schema.js";
import { DECLARED_PINS_SCHEMA } from "./declared-pins.js";
import { DELIVERIES_SCHEMA } from "./deliveries.js";
import { NOTIFICATIONS_SCHEMA } from "./notifications.js";
import { PASSES_SCHEMA } from "./passes.js";
import { PREVIEW_COMMITS_SCHEMA } from "./preview-commits-schema.js";
import { PREVIEWS_SCHEMA } from "./previews-schema.js";
import { SNAPSHOTS_SCHEMA } from "./snapshots-schema.js";
import { SOURCES_SCHEMA } from "./sources-schema.js";
import { TRIALS_SCHEMA } from "./trials.js";

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sources (
    name TEXT PRIMARY KEY,
    repo TEXT NOT NULL,
    branch TEXT NOT NULL,
    path TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    last_fetch INTEGER,
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE revisions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    branch TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    at INTEGER NOT NULL,
    result TEXT NOT NULL
  ) STRICT;
  CREATE INDEX revisions_source ON revisions (source, seq);

  CREATE TABLE functions (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT,
    folder TEXT,
    state TEXT NOT NULL,
    error TEXT,
    warnings TEXT NOT NULL DEFAULT '[]',
    hosts TEXT NOT NULL DEFAULT '{}',
    latest TEXT REFERENCES versions (id) DEFERRABLE INITIALLY DEFERRED,
    revision TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    removed_at INTEGER
  ) STRICT;
  -- The name of a removed function stays its account's until it is forgotten; a declaration that came second holds no name.
  CREATE UNIQUE INDEX functions_name ON functions (name) WHERE state <> 'name-taken';
  CREATE INDEX functions_latest ON functions (latest);
  CREATE UNIQUE INDEX functions_second ON functions (source, folder) WHERE state = 'name-taken';

  CREATE TABLE versions (
    id TEXT PRIMARY KEY,
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    artifact TEXT NOT NULL,
    source_maps TEXT,
    size INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    entrypoints TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX versions_function ON versions (function_id, created_at);
  CREATE INDEX versions_artifact ON versions (artifact);
  CREATE INDEX versions_source_maps ON versions (source_maps);

  CREATE TABLE builds (
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    environment TEXT NOT NULL,
    tree_id TEXT NOT NULL,
    bundler TEXT NOT NULL,
    inputs_digest TEXT NOT NULL,
    inputs TEXT NOT NULL,
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    used INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (function_id, environment, tree_id, bundler, inputs_digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX builds_version ON builds (version_id);

  CREATE TABLE aliases (
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version_id TEXT NOT NULL REFERENCES versions (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (function_id, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX aliases_version ON aliases (version_id);

  CREATE TABLE history (
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL REFERENCES revisions (seq),
    version_id TEXT REFERENCES versions (id),
    PRIMARY KEY (function_id, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX history_version ON history (version_id);
  CREATE INDEX history_seq ON history (seq);

  -- Append-only, and outlives what it speaks of. \`split\` is for gradual deployments.
  CREATE TABLE deployments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    function_id TEXT NOT NULL,
    function TEXT NOT NULL,
    at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    author TEXT NOT NULL,
    revision TEXT,
    from_version TEXT,
    to_version TEXT,
    split TEXT
  ) STRICT;
  CREATE INDEX deployments_function ON deployments (function_id, seq);
  CREATE INDEX deployments_from ON deployments (from_version, at);
  CREATE INDEX deployments_to ON deployments (to_version, at);

  CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    source TEXT,
    function TEXT,
    revision TEXT,
    message TEXT NOT NULL,
    error TEXT
  ) STRICT;
  CREATE INDEX events_function ON events (function, id);
  CREATE INDEX events_kind ON events (kind, id);
  `,
  ACCESS_SCHEMA,
  `
  -- \`declared\`: the version that git gave last. \`withdrawn\`: git declares the function no longer, only a pin keeps it.
  ALTER TABLE functions ADD COLUMN declared TEXT REFERENCES versions (id) DEFERRABLE INITIALLY DEFERRED;
  ALTER TABLE functions ADD COLUMN split TEXT;
  ALTER TABLE functions ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE functions ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE functions ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE functions ADD COLUMN uploads INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX functions_declared ON functions (declared);
  UPDATE functions SET declared = latest WHERE source IS NOT NULL;

  ALTER TABLE versions ADD COLUMN upload TEXT;
  ALTER TABLE versions ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';

  CREATE TABLE holds (
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    alias TEXT NOT NULL,
    kind TEXT NOT NULL,
    version_id TEXT NOT NULL REFERENCES versions (id) DEFERRABLE INITIALLY DEFERRED,
    rejected TEXT,
    reason TEXT,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (function_id, alias)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX holds_version ON holds (version_id);
  CREATE INDEX holds_expiry ON holds (expires_at) WHERE expires_at IS NOT NULL;

  ALTER TABLE deployments ADD COLUMN message TEXT;
  ALTER TABLE deployments ADD COLUMN credential TEXT;
  ALTER TABLE deployments ADD COLUMN address TEXT;
  `,
  "ALTER TABLE functions ADD COLUMN asked_hosts TEXT NOT NULL DEFAULT '{}'",
  `
  -- One row for each Idempotency-Key of the last day. Secrets are never in it.
  CREATE TABLE kept_writes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    account TEXT NOT NULL,
    request TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    answer TEXT,
    UNIQUE (subject, key)
  ) STRICT;
  CREATE INDEX kept_writes_account ON kept_writes (account, seq);
  CREATE INDEX kept_writes_at ON kept_writes (at);
  `,
  DATABASES_SCHEMA,
  `
  -- What happened belongs to account and id. Of names that nobody has any more, only what a source said is known for sure.
  ALTER TABLE events ADD COLUMN function_id TEXT;
  ALTER TABLE events ADD COLUMN account TEXT;
  UPDATE events SET (function_id, account) = (SELECT f.id, f.account FROM functions f
    WHERE f.name = events.function AND f.state <> 'name-taken' AND f.created_at <= events.at
      AND (events.source IS NULL OR f.account = 'main'))
    WHERE function IS NOT NULL;
  UPDATE events SET account = 'main' WHERE function IS NOT NULL AND account IS NULL AND source IS NOT NULL;
  CREATE INDEX events_function_id ON events (function_id, id);
  `,
  SNAPSHOTS_SCHEMA,
  COPIES_SCHEMA,
  "ALTER TABLE holds ADD COLUMN offline INTEGER NOT NULL DEFAULT 0",
  PASSES_SCHEMA,
  PREVIEWS_SCHEMA,
  SOURCES_SCHEMA,
  TRIALS_SCHEMA,
  COMMIT_STATUSES_SCHEMA,
  DECLARED_PINS_SCHEMA,
  PREVIEW_COMMITS_SCHEMA,
  DELIVERIES_SCHEMA,
  NOTIFICATIONS_SCHEMA,
];

/**
 * Takes the steps that the file lacks, each in a transaction of its own, so that an interrupted upgrade goes on where it was.
 * Throws ERR_STORE when the file is newer than this program.
 */
export function migrate(db: Database, steps: readonly string[] = MIGRATIONS): void {
  const version = Number(db.pragma("user_version", { simple: true }));
  if (version > steps.length) {
    throw new WrkstError(
      "ERR_STORE",
      `the registry is of a newer version: expected schema ${steps.length} or older, received ${version}`,
      { hint: "start the newer version of wrkst again, or restore the backup that was made before the upgrade" },
    );
  }
  for (const [index, sql] of steps.entries()) {
    if (index < version) continue;
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${index + 1}`);
    }).immediate();
  }
}
