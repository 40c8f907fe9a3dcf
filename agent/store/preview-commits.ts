// Commits that branches moved on from: their hosts stay until they are forgotten. Bounded for each preview.

import type { Db } from "./database.js";
import { fromJson } from "./json.js";
import type { PreviewFunction, PreviewRecord } from "./preview-rows.js";

/** Commits of one branch that keep their hosts. */
export const MOST_COMMITS = 10;

/** What a function was at a commit that its branch moved on from. */
export interface PastCommit {
  preview: string;
  functionId: string;
  commit: string;
  version: string;
  /** As of `PreviewFunction`. */
  bindings: Record<string, string>;
  /** Milliseconds since 1970. */
  endedAt: number;
}

export interface PreviewCommits {
  /** The newest first; of all previews where none is given. */
  all(preview?: string): PastCommit[];
  /** Notes what the preview was, and forgets what is too much, or is the preview's again by that commit. */
  note(before: PreviewRecord, commit: string, at: number): void;
  /** Those that ended before. Answers the functions that they were of. */
  forgetBefore(at: number): string[];
}

interface Row {
  preview_id: string;
  function_id: string;
  commit: string;
  version_id: string;
  bindings: string;
  ended_at: number;
}

export function createPreviewCommits(db: Db): PreviewCommits {
  const all = db.prepare<[string | null], Row>(
    'SELECT * FROM preview_commits WHERE preview_id = coalesce(?, preview_id) ORDER BY ended_at DESC, "commit", function_id',
  );
  const add = db.prepare(
    `INSERT OR REPLACE INTO preview_commits (preview_id, function_id, "commit", version_id, bindings, secrets, ended_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const dropCommit = db.prepare('DELETE FROM preview_commits WHERE preview_id = ? AND "commit" = ?');
  const dropBefore = db
    .prepare<[number], string>("DELETE FROM preview_commits WHERE ended_at < ? RETURNING function_id")
    .pluck();

  function note(before: PreviewRecord, commit: string, at: number): void {
    const { id } = before;
    for (const one of before.functions) if (before.commit !== commit) addOne(before, one, at);
    dropCommit.run(id, commit);
    const commits = [...new Set(all.all(id).map((row) => row.commit))];
    for (const old of commits.slice(MOST_COMMITS)) dropCommit.run(id, old);
  }

  function addOne({ id, commit }: PreviewRecord, one: PreviewFunction, at: number): void {
    const { functionId, version, bindings, hasSecrets } = one;
    if (functionId === null || version === null) return;
    add.run(id, functionId, commit, version, JSON.stringify(bindings), Number(hasSecrets), at);
  }

  return {
    all: (preview) => all.all(preview ?? null).map(commitOf),
    note,
    forgetBefore: (at) => [...new Set(dropBefore.all(at) as string[])],
  };
}

function commitOf({ preview_id, function_id, commit, version_id, bindings, ended_at }: Row): PastCommit {
  return {
    ...{ preview: preview_id, functionId: function_id, commit, version: version_id, endedAt: ended_at },
    bindings: fromJson(bindings),
  };
}
