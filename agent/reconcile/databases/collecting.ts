// Removes what no database needs any more. Invariant: a file of an object goes only when what it held last is in a snapshot, or
// the database itself is forgotten.
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { objectFile, objectFolder, removeObject, sizeOf, stateOf, sweepHalves } from "../../databases/index.js";
import { reportOf } from "../../errors.js";
import type { Database } from "../../model.js";
import type { ContentContext } from "./content-context.js";
import type { Snapshotting } from "./snapshotting.js";

export interface Collecting {
  /** Removes what a crash left behind. Before anything may open an object. */
  recover(): void;
  /** Removes what is older than the retention, and objects that restores left behind. Never rejects. */
  collect(): Promise<void>;
}

const DAY = 86_400_000;
/** More attempts that failed and were then cut off by a crash would be a marvel. */
const UNBORN = 8;

export function createCollecting(
  context: ContentContext,
  snapshotting: Snapshotting,
  options: { retention: number; log: { warn(fields: object, message: string): void } },
): Collecting {
  const { registry, files, dataDir, runtime, now } = context.deps;
  const { snapshots, databases } = registry;
  const { retention, log } = options;
  const everyone = () => [...databases.all(), ...databases.removed()];

  function recover(): void {
    sweepHalves(objectFolder(dataDir));
    const present = new Set(namesIn(objectFolder(dataDir)));
    for (const database of everyone()) {
      for (let ahead = 1; ahead <= UNBORN; ahead++) {
        const file = context.file({ ...database, epoch: database.epoch + ahead });
        if (present.has(basename(file))) removeObject(file);
      }
    }
    files.sweep((database, id) => snapshots.snapshot(database, id) !== undefined);
  }

  async function collect(): Promise<void> {
    const present = new Set(namesIn(objectFolder(dataDir)));
    for (const database of everyone()) {
      for (let epoch = 1; epoch < database.epoch; epoch++) {
        const file = objectFile(dataDir, database.id, epoch);
        if (present.has(basename(file))) await quietly(database, () => removePast({ ...database, epoch }, file));
      }
    }
    for (const database of databases.removed()) {
      if ((database.removedAt ?? 0) < now() - retention) await quietly(database, () => forget(database));
    }
    for (const { id, database } of snapshots.expiredSnapshots(now() - retention)) {
      files.remove(database, id);
      snapshots.removeSnapshot(id);
    }
    snapshots.forgetMigrations(now() - DAY);
  }

  /** An object that a restore or an import left behind. A crash may have come before its last state was kept. */
  async function removePast(past: Database, file: string): Promise<void> {
    const kept = snapshots.snapshots(past.id).some((one) => one.epoch === past.epoch && one.state === stateOf(file));
    if (!kept && sizeOf(file) > 0) await snapshotting.takePast(past);
    removeObject(file);
  }

  async function forget(database: Database): Promise<void> {
    const object = context.object(database);
    await runtime.retire([object]);
    for (let epoch = 1; epoch <= database.epoch; epoch++) removeObject(objectFile(dataDir, database.id, epoch));
    databases.forget(database.id);
  }

  async function quietly(database: Database, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      log.warn({ err: reportOf(error), database: database.name }, "files of a database could not be removed");
    });
  }

  return { recover, collect };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
