// The step of the schema that brings previews of branches and of commits.

export const PREVIEWS_SCHEMA = `
  -- \`branch\` is null where somebody asked for a commit; its label is the commit then. \`versions\`: what each of its functions is,
  -- also those that do not differ from production. \`handled\`: a digest of what was looked at last.
  CREATE TABLE previews (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    branch TEXT,
    "commit" TEXT NOT NULL,
    label TEXT NOT NULL,
    handled TEXT NOT NULL DEFAULT '',
    versions TEXT NOT NULL DEFAULT '{}',
    error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX previews_branch ON previews (source, branch) WHERE branch IS NOT NULL;

  -- Functions that differ from production, or failed: those have no version. \`bindings\`: binding -> what it has a copy of.
  CREATE TABLE preview_functions (
    preview_id TEXT NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    function_id TEXT REFERENCES functions (id) ON DELETE CASCADE,
    version_id TEXT REFERENCES versions (id) ON DELETE CASCADE,
    bindings TEXT NOT NULL DEFAULT '{}',
    secrets INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    PRIMARY KEY (preview_id, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX preview_functions_function ON preview_functions (function_id);
  CREATE INDEX preview_functions_version ON preview_functions (version_id);

  -- When the last preview of a version moved on; 0 where its branch is gone.
  ALTER TABLE versions ADD COLUMN preview_ended INTEGER;
`;
