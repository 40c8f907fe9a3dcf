// The step of the schema that brings sources beside the one of the environment, with what people and forges say of any of them.

export const SOURCES_SCHEMA = `
  -- Nothing was ever kept in it.
  DROP TABLE sources;
  CREATE TABLE sources (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    -- Sealed, by name.
    credentials TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- The source of the environment may be in these, and is in no row of the table above.
  CREATE TABLE source_suspensions (
    source TEXT PRIMARY KEY,
    reason TEXT,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE source_webhooks (
    source TEXT NOT NULL,
    provider TEXT NOT NULL,
    -- Sealed.
    secret TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (source, provider)
  ) STRICT, WITHOUT ROWID;
`;
