// Applies migrations to copies of databases: in the process for rehearsals, before the copy is placed where the serving one opens
// it. The database itself is only read.
import { randomUUID } from "node:crypto";
import { objectFile, objectName, pendingOf, removeObject } from "../../databases/index.js";
import type { Database, Migration, MigrationSet } from "../../model.js";
import type { Rehearsals } from "../../runtime/rehearsal.js";
import type { ContentContext } from "./content-context.js";
import type { Migrating } from "./migrating.js";
import { EPOCH, rehearse } from "./rehearsing.js";

/**
 * Answers false where the version has nothing that the database lacks; the target is not made then. `from`: the file of the
 * database, null for an empty one. @throws WrkstError ERR_MIGRATION for the first one that fails or takes too long, the target not
 * being made.
 */
export type CopyMigrating = (wanted: {
  version: string;
  database: Database;
  from: string | null;
  target: string;
}) => Promise<boolean>;

export interface FileMigration {
  /** Null: an empty one. */
  from: string | null;
  target: string;
  work: { set: MigrationSet; pending: Migration[] }[];
  signal: AbortSignal;
}

/** Makes the target of the file and all that is pending. @throws WrkstError ERR_MIGRATION, the target not being made */
export type FileMigrating = (wanted: FileMigration) => Promise<void>;

export function createFileMigrating(
  { deps: { files } }: ContentContext,
  rehearsals: Pick<Rehearsals, "hold">,
): FileMigrating {
  return ({ from, target, work, signal }) =>
    rehearsals.hold(signal, async (rehearsal) => {
      const id = randomUUID();
      const file = objectFile(rehearsal.folder, id, EPOCH);
      try {
        if (from !== null) await files.placeLive(from, file);
        for (const one of work) await rehearse(rehearsal, objectName(id, EPOCH), { ...one, signal });
        await files.placeLive(file, target);
      } finally {
        removeObject(file);
      }
    });
}

export function createCopyMigrating(
  { deps: { registry } }: ContentContext,
  { migrating, migrateFile }: { migrating: Pick<Migrating, "appliedNames" | "setOf">; migrateFile: FileMigrating },
): CopyMigrating {
  return async ({ version, database, from, target }) => {
    const notes = registry.snapshots.migrationsOfVersion(version);
    const note = notes.find((one) => one.database === database.id);
    if (!note) return false;
    const set = await migrating.setOf(note);
    const applied = from === null ? [] : await migrating.appliedNames(database, set.table);
    const pending = pendingOf(set, applied);
    if (!pending.length) return false;
    await migrateFile({ from, target, work: [{ set, pending }], signal: new AbortController().signal });
    return true;
  };
}
