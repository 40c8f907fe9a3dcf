// Migrations as work on a copy: whatever one does there, nobody else waits for it. Keeps nothing.
import { createTable, migrationError, rehearsalError, scriptOf } from "../../databases/index.js";
import type { Migration, MigrationSet } from "../../model.js";
import type { Rehearsal } from "../../runtime/rehearsal.js";

/** Of a database that only the process of the copy knows. */
export const EPOCH = 1;

export interface Rehearsed {
  set: MigrationSet;
  pending: Migration[];
  signal?: AbortSignal | undefined;
}

/** @throws WrkstError ERR_MIGRATION for the first one that fails or takes too long */
export async function rehearse(
  rehearsal: Rehearsal,
  object: string,
  { set, pending, signal }: Rehearsed,
): Promise<void> {
  await rehearsal.script({ object, ...createTable(set.table) });
  for (const migration of pending) {
    signal?.throwIfAborted();
    const rehearsed = await rehearsal.script({ object, ...scriptOf(set, migration) });
    if (rehearsed.kind === "refused") throw rehearsalError(set, migration, rehearsed.reason);
    if (!rehearsed.answer.ok) throw migrationError(set, migration, rehearsed.answer);
  }
}
