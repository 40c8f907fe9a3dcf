// The step of the schema that brings databases. Every function that is there already gets its own, of which nothing is on disk yet.

export const DATABASES_SCHEMA = `
  -- \`owner\` may be the id that a function is about to get. \`default_for\`: the binding, in lower case, that the owner reaches
  -- it by without naming it. \`declared\`: made by a declaration or by hand. \`removed_with\`: went with its owner, comes back with it.
  CREATE TABLE databases (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    default_for TEXT,
    declared INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    removed_at INTEGER,
    removed_with INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX databases_name ON databases (account, name) WHERE removed_at IS NULL;
  CREATE UNIQUE INDEX databases_default ON databases (owner, default_for) WHERE removed_at IS NULL;
  CREATE INDEX databases_owner ON databases (owner);

  CREATE TABLE database_shares (
    database_id TEXT NOT NULL REFERENCES databases (id) ON DELETE CASCADE,
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (database_id, function_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX database_shares_function ON database_shares (function_id);

  -- What the declared bindings of a version stand for. Noted before the version itself is, so nothing refers to it.
  CREATE TABLE version_databases (
    version_id TEXT NOT NULL,
    binding TEXT NOT NULL,
    function_id TEXT NOT NULL,
    database_id TEXT NOT NULL,
    PRIMARY KEY (version_id, binding)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX version_databases_function ON version_databases (function_id);
  CREATE INDEX version_databases_database ON version_databases (database_id);

  -- Ids of functions that are about to be made: what they own is made before them.
  CREATE TABLE reserved_functions (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (account, name)
  ) STRICT, WITHOUT ROWID;

  INSERT INTO databases (id, account, name, owner, default_for, declared, created_at, removed_at, removed_with)
  SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' ||
      substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
    account, name || '-d1', id, 'd1', 0, created_at, removed_at, removed_at IS NOT NULL
  FROM functions WHERE state <> 'name-taken';
`;
