// The step of the schema that brings copies of databases, which versions that never served have instead of those that serve.

export const COPIES_SCHEMA = `
  -- \`id\` names the copy's object as that of a database does. \`making\`: noted before its file is, so that a crash leaves no file
  -- that nobody knows. \`leaving\`: nothing leads to it any more, its file may be there still.
  CREATE TABLE version_copies (
    id TEXT PRIMARY KEY,
    version_id TEXT NOT NULL,
    database_id TEXT NOT NULL,
    function_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('making', 'ready', 'leaving')),
    made_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX version_copies_version ON version_copies (version_id, database_id) WHERE state <> 'leaving';
  CREATE INDEX version_copies_function ON version_copies (function_id);
`;
