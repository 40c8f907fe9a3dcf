// Forgets what nothing refers to any more. Whatever an alias, a recent deployment or a revision that can still be asked for needs stays.

import { MAX_REVISIONS } from "../../runtime/wire.js";
import type { Db } from "./database.js";

/** Versions of this many last deployments of a function are kept, so that one can go back. */
export const KEPT_DEPLOYMENTS = 20;

export interface Garbage {
  /** Functions whose removal is older than the retention; their data may go now. */
  functions: { id: string; account: string; name: string }[];
  /** Ids of versions that are gone. */
  versions: string[];
  /** Digests of artifacts and source maps that no version refers to any more; the caller deletes the files. */
  artifacts: string[];
}

interface VersionRow {
  id: string;
  artifact: string;
  source_maps: string | null;
}

const LAST_TOUCHED = `max(v.created_at,
  coalesce((SELECT max(at) FROM deployments WHERE from_version = v.id), 0),
  coalesce((SELECT max(at) FROM deployments WHERE to_version = v.id), 0))`;

const RECENT = `SELECT from_version, to_version, split FROM
  (SELECT from_version, to_version, split, row_number() OVER (PARTITION BY function_id ORDER BY seq DESC) AS age FROM deployments)
  WHERE age <= ${KEPT_DEPLOYMENTS}`;

/**
 * Makes `removeExpired(now, retention)`, both in milliseconds. Versions that are not referred to go when they were made, and
 * last deployed or replaced, longer ago than the retention. Must not run beside a pass, which may be about to use a version.
 */
export function createGarbage(db: Db, forgetBuilds: () => void): (now: number, retention: number) => Garbage {
  const removed = db.prepare<[number], Garbage["functions"][number]>(
    "DELETE FROM functions WHERE removed_at < ? RETURNING id, account, name",
  );
  // Databases are forgotten apart, with their files. What somebody brought back without its function is open to all of its account.
  const freeOwned = db.prepare(
    "UPDATE databases SET owner = NULL, default_for = NULL WHERE owner = ? AND removed_at IS NULL",
  );
  const unbind = db.prepare("DELETE FROM version_databases WHERE version_id NOT IN (SELECT id FROM versions)");
  const versionsOfRemoved = db.prepare<[number], VersionRow>(
    `SELECT v.id, v.artifact, v.source_maps FROM versions v JOIN functions f ON f.id = v.function_id
     WHERE f.removed_at < ?`,
  );
  const unreferenced = db.prepare<[number], VersionRow>(
    `WITH recent AS (${RECENT}), kept AS (
       SELECT from_version AS id FROM recent WHERE from_version IS NOT NULL
       UNION SELECT to_version FROM recent WHERE to_version IS NOT NULL
       UNION SELECT value ->> 'version' FROM recent, json_each(recent.split)
       UNION SELECT latest FROM functions WHERE latest IS NOT NULL
       UNION SELECT declared FROM functions WHERE declared IS NOT NULL
       UNION SELECT value ->> 'version' FROM functions, json_each(functions.split)
       UNION SELECT version_id FROM holds
       UNION SELECT version_id FROM trials
       UNION SELECT before_id FROM trials
       UNION SELECT version_id FROM declared_pins
       UNION SELECT version_id FROM aliases
       UNION SELECT version_id FROM preview_functions WHERE version_id IS NOT NULL
       UNION SELECT version_id FROM preview_commits
       UNION SELECT version_id FROM history WHERE version_id IS NOT NULL)
     SELECT v.id, v.artifact, v.source_maps FROM versions v
     WHERE v.id NOT IN (SELECT id FROM kept) AND ${LAST_TOUCHED} < ?`,
  );
  const deleteVersion = db.prepare("DELETE FROM versions WHERE id = ?");
  const refersTo = db
    .prepare<[string, string], number>(
      "SELECT EXISTS (SELECT 1 FROM versions WHERE artifact = ?) OR EXISTS (SELECT 1 FROM versions WHERE source_maps = ?)",
    )
    .pluck();
  const oldestRevision = db
    .prepare<[number], number>("SELECT seq FROM revisions ORDER BY seq DESC LIMIT 1 OFFSET ?")
    .pluck();
  const trimHistory = db.prepare(
    `DELETE FROM history WHERE seq < (SELECT max(h.seq) FROM history h
       WHERE h.function_id = history.function_id AND h.seq <= ?)`,
  );
  const trimRevisions = db.prepare(
    `DELETE FROM revisions WHERE seq < ? AND NOT EXISTS (SELECT 1 FROM history h WHERE h.seq = revisions.seq)
       AND seq NOT IN (SELECT max(seq) FROM revisions GROUP BY source)`,
  );

  function trim(): void {
    const oldest = oldestRevision.get(MAX_REVISIONS - 1);
    if (oldest === undefined) return;
    trimHistory.run(oldest);
    trimRevisions.run(oldest);
  }

  function removeExpired(now: number, retention: number): Garbage {
    const before = now - retention;
    trim();
    const ofRemoved = versionsOfRemoved.all(before);
    const functions = removed.all(before);
    for (const { id } of functions) freeOwned.run(id);
    const orphans = unreferenced.all(before);
    for (const { id } of orphans) deleteVersion.run(id);
    unbind.run();
    const gone = [...ofRemoved, ...orphans];
    const digests = new Set(gone.flatMap((row) => [row.artifact, row.source_maps ?? row.artifact]));
    const artifacts = [...digests].filter((digest) => refersTo.get(digest, digest) === 0);
    return { functions, versions: gone.map((row) => row.id), artifacts };
  }

  const transaction = db.transaction(removeExpired);
  return (now, retention) => {
    const gone = transaction.immediate(now, retention);
    forgetBuilds();
    return gone;
  };
}
