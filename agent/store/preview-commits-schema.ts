// The step of the schema that brings previews on request, commits that branches moved on from, and what copies were migrated by.

export const PREVIEW_COMMITS_SCHEMA = `
  -- Of a commit that somebody asked for: the function, and when it was asked for last. \`warnings\`: what its copies lack.
  ALTER TABLE previews ADD COLUMN function TEXT;
  ALTER TABLE previews ADD COLUMN asked_at INTEGER;
  ALTER TABLE previews ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';
  CREATE UNIQUE INDEX previews_asked ON previews (source, "commit", function) WHERE branch IS NULL;

  -- Where only migrations differ from production: a digest of production's at that time.
  ALTER TABLE preview_functions ADD COLUMN migrates TEXT;

  -- What a branch was before it moved on. Its hosts stay for a while, with the data that the branch has.
  CREATE TABLE preview_commits (
    preview_id TEXT NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    "commit" TEXT NOT NULL,
    version_id TEXT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    bindings TEXT NOT NULL,
    secrets INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (preview_id, function_id, "commit")
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX preview_commits_function ON preview_commits (function_id);
  CREATE INDEX preview_commits_version ON preview_commits (version_id);
  CREATE INDEX preview_commits_ended ON preview_commits (ended_at);

  -- Migrations that its preview applied to it, each with the digest of its text.
  ALTER TABLE version_copies ADD COLUMN applied TEXT NOT NULL DEFAULT '[]';
`;
