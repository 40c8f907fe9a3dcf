// The step of the schema that brings snapshots of databases, and which migrations came with which version.

export const SNAPSHOTS_SCHEMA = `
  -- \`state\`: what the file was like when it was copied, to tell whether it has changed since. Outlives what it speaks of
  -- until its files are gone.
  CREATE TABLE snapshots (
    id TEXT PRIMARY KEY,
    database_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    size INTEGER NOT NULL,
    migrations TEXT NOT NULL,
    state TEXT NOT NULL
  ) STRICT;
  CREATE INDEX snapshots_database ON snapshots (database_id, id);

  -- The sets of migrations that a version came with last, as an artifact. Noted before the version itself is.
  CREATE TABLE version_migrations (
    version_id TEXT NOT NULL,
    database_id TEXT NOT NULL,
    function_id TEXT NOT NULL,
    noted_in TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (version_id, database_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX version_migrations_database ON version_migrations (database_id, at);
`;
