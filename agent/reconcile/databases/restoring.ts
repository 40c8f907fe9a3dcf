// Brings a database back to a snapshot. What functions have open is never replaced: the snapshot becomes the file of another
// object, the registry is switched to it in one step, and the old object is retired. A crash leaves one or the other.
import { removeObject, stateOf } from "../../databases/index.js";
import type { Actor, Database, DatabaseRef } from "../../model.js";
import type { NewEvent, SnapshotRecord } from "../../store/index.js";
import type { Databases, RestorePoint } from "../databases.js";
import { belongingTo } from "./belonging.js";
import type { ContentContext } from "./content-context.js";
import { type Snapshotting, shown } from "./snapshotting.js";

export interface Restoring {
  restore: Databases["restore"];
  /** Puts the snapshot where an object that was never opened will find it; answers the database as that object holds it. */
  placeNext(database: Database, snapshot: string): Promise<Database>;
  /** Ends an object that was placed and is not to be the database. */
  drop(next: Database): Promise<void>;
  /** Makes what another object holds the database from now on. Resolves when functions see that, and only that. */
  switchOver(database: Database, next: Database, event: NewEvent): Promise<void>;
}

export function createRestoring(context: ContentContext, snapshotting: Snapshotting): Restoring {
  const { registry, files, publisher, runtime, wake } = context.deps;

  async function placeNext(database: Database, snapshot: string): Promise<Database> {
    const next = { ...database, epoch: context.takeEpoch(database) };
    try {
      await files.place(database.id, snapshot, context.file(next));
    } catch (error) {
      removeObject(context.file(next));
      throw error;
    }
    return next;
  }

  async function drop(next: Database): Promise<void> {
    await runtime.retire([context.object(next)]).finally(() => removeObject(context.file(next)));
  }

  async function switchOver(database: Database, next: Database, event: NewEvent): Promise<void> {
    registry.databases.together(() => {
      registry.databases.raiseEpoch(database.id, next.epoch);
      registry.addEvent(event);
    });
    try {
      await publisher.publish();
    } catch (error) {
      // It is switched: what remains is to tell the runtime.
      wake();
      throw error;
    }
    await runtime.retire([context.object(database)]);
  }

  async function restore(of: DatabaseRef, to: RestorePoint, by: Actor) {
    return context.inTurn(of, async (database) => {
      const point = snapshotting.find(database, to);
      const before = await snapshotting.take(database, "restore");
      const next = await placeNext(database, point.id);
      const message = `the database "${database.name}" was restored to ${point.id} by ${by.name}; what was there is ${before.id}`;
      await switchOver(database, next, { kind: "database.restored", ...belongingTo(database), message, actor: by });
      const last = await lastOf(database, before);
      await snapshotting.repeat(next, point);
      return { restored: shown(point), before: shown(last) };
    });
  }

  /** What was written between the snapshot and the switch is in the old object only, to which nobody writes any more. */
  async function lastOf(database: Database, before: SnapshotRecord): Promise<SnapshotRecord> {
    return stateOf(context.file(database)) === before.state ? before : snapshotting.take(database, "restore");
  }

  return { restore, placeNext, drop, switchOver };
}
