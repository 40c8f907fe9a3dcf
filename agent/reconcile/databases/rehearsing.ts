// Tries migrations on a copy before they touch the database: whatever one does there, nobody else waits for it, and what does
// not end well there has changed nothing.
import { randomUUID } from "node:crypto";
import {
  createTable,
  migrationError,
  objectFile,
  objectName,
  rehearsalError,
  removeObject,
  scriptOf,
} from "../../databases/index.js";
import type { Database, Migration, MigrationSet, Warning } from "../../model.js";
import type { Rehearsal, Rehearsals } from "../../runtime/rehearsal.js";
import type { SnapshotRecord } from "../../store/index.js";
import type { ContentContext } from "./content-context.js";

export interface Rehearsed {
  database: Database;
  /** What is there; null: nothing. */
  snapshot: SnapshotRecord | null;
  set: MigrationSet;
  pending: Migration[];
  signal?: AbortSignal | undefined;
}

/** Bytes; to copy more takes too long and too much of the disk. */
const LARGEST = 2 ** 30;
/** Of a database that only the rehearsal knows. */
const EPOCH = 1;

/** @throws WrkstError ERR_MIGRATION for the first one that fails or takes too long. Answers a warning where none was tried. */
export function createRehearsing({ deps: { files } }: ContentContext, rehearsals: Pick<Rehearsals, "hold">) {
  return async (wanted: Rehearsed): Promise<Warning[]> => {
    const { database, snapshot, signal } = wanted;
    if (snapshot && snapshot.size > LARGEST) return [tooLarge(database, snapshot.size)];
    await rehearsals.hold(signal ?? new AbortController().signal, async (rehearsal) => {
      const id = randomUUID();
      const file = objectFile(rehearsal.folder, id, EPOCH);
      try {
        if (snapshot?.size) await files.lend(database.id, snapshot.id, file);
        await runAll(rehearsal, objectName(id, EPOCH), wanted);
      } finally {
        removeObject(file);
      }
    });
    return [];
  };
}

async function runAll(rehearsal: Rehearsal, object: string, { set, pending, signal }: Rehearsed): Promise<void> {
  await rehearsal.script({ object, ...createTable(set.table) });
  for (const migration of pending) {
    signal?.throwIfAborted();
    const rehearsed = await rehearsal.script({ object, ...scriptOf(set, migration) });
    if (rehearsed.kind === "refused") throw rehearsalError(set, migration, rehearsed.reason);
    if (!rehearsed.answer.ok) throw migrationError(set, migration, rehearsed.answer);
  }
}

function tooLarge({ name }: Database, size: number): Warning {
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const message = `the migrations of "${name}" were applied without a rehearsal: it has ${mebibytes(size)}, at most ${mebibytes(LARGEST)} are copied for one`;
  return { message };
}
