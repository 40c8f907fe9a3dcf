// What the passes took that changed something: one row for each revision of a source, the newest some hundreds of each.

import type { PassSummary } from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

export interface Passes {
  savePass(source: string, pass: PassSummary): void;
  /** Of the revision, in the form of `formatRevision`. */
  passOf(source: string, revision: string): PassSummary | undefined;
  lastPass(source: string): PassSummary | undefined;
}

/** Passes that are kept of each source. */
const KEPT = 500;

export const PASSES_SCHEMA = `
  CREATE TABLE passes (
    source TEXT NOT NULL,
    revision TEXT NOT NULL,
    at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    author TEXT NOT NULL,
    milliseconds REAL NOT NULL,
    phases TEXT NOT NULL,
    PRIMARY KEY (source, revision)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX passes_at ON passes (source, at);
`;

type PassRow = Omit<PassSummary, "phases"> & { phases: string };

const COLUMNS = "revision, at, cause, author, milliseconds, phases";

export function createPasses(db: Db): Passes {
  const save = db.prepare(
    `INSERT OR REPLACE INTO passes (source, ${COLUMNS})
     VALUES (@source, @revision, @at, @cause, @author, @milliseconds, @phases)`,
  );
  const trim = db.prepare(
    "DELETE FROM passes WHERE source = @source AND at < (SELECT min(at) FROM (SELECT at FROM passes WHERE source = @source ORDER BY at DESC LIMIT @kept))",
  );
  const one = db.prepare<[string, string], PassRow>(`SELECT ${COLUMNS} FROM passes WHERE source = ? AND revision = ?`);
  const last = db.prepare<[string], PassRow>(`SELECT ${COLUMNS} FROM passes WHERE source = ? ORDER BY at DESC LIMIT 1`);
  const read = (row: PassRow | undefined) => row && { ...row, phases: fromJson<PassSummary["phases"]>(row.phases) };
  return {
    savePass: (source, pass) => {
      save.run({ ...pass, at: Math.round(pass.at), source, phases: JSON.stringify(pass.phases) });
      trim.run({ source, kept: KEPT });
    },
    passOf: (source, revision) => read(one.get(source, revision)),
    lastPass: (source) => read(last.get(source)),
  };
}
