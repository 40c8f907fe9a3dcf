// Takes snapshots and finds them. One is known only when its file is whole.
import { newSnapshotId, stateOf, writtenAt } from "../../databases/index.js";
import { WrkstError } from "../../errors.js";
import type { Actor, Database, DatabaseRef, DatabaseSnapshot } from "../../model.js";
import type { SnapshotRecord } from "../../store/index.js";
import type { Databases, RestorePoint } from "../databases.js";
import { belongingTo } from "./belonging.js";
import type { ContentContext } from "./content-context.js";

export interface Snapshotting {
  front: Pick<Databases, "snapshots" | "snapshot" | "snapshotFile" | "bookmark">;
  /** In its caller's turn. */
  take(database: Database, cause: DatabaseSnapshot["cause"]): Promise<SnapshotRecord>;
  /** Of an object that held it before and that nobody writes to any more: as of when it was written to last. */
  takePast(past: Database): Promise<SnapshotRecord>;
  /** The same bytes as a snapshot of now: what is there after a restore. */
  repeat(database: Database, snapshot: SnapshotRecord): Promise<void>;
  /** @throws WrkstError ERR_NOT_FOUND */
  find(database: Database, point: RestorePoint): SnapshotRecord;
  /** Whether the newest snapshot holds all that is there. */
  isCurrent(database: Database): boolean;
}

const DEFAULT_TABLE = "d1_migrations";

export function createSnapshotting(context: ContentContext): Snapshotting {
  const { registry, files, now } = context.deps;
  const { snapshots } = registry;

  /** After all that there are, so that the newest is the last one taken. */
  function nextTime(database: string): number {
    return Math.max(Math.trunc(now()), (snapshots.snapshots(database)[0]?.at ?? 0) + 1);
  }

  async function take(database: Database, cause: DatabaseSnapshot["cause"], at = nextTime(database.id)) {
    const file = context.file(database);
    // Looked at before: what is written while it is copied may count as not copied, never the other way round.
    const state = stateOf(file);
    const id = newSnapshotId(at);
    const { size, migrations } = await files.take(database.id, id, file, tablesOf(database));
    const { epoch } = database;
    return keep({ id, database: database.id, epoch, at, cause, size, migrations, state });
  }

  function keep(record: SnapshotRecord): SnapshotRecord {
    try {
      snapshots.addSnapshot(record);
      return record;
    } catch (error) {
      files.remove(record.database, record.id);
      throw error;
    }
  }

  async function repeat({ id: database, epoch }: Database, snapshot: SnapshotRecord): Promise<void> {
    const at = nextTime(database);
    const id = newSnapshotId(at);
    await files.link(database, snapshot.id, id);
    keep({ ...snapshot, id, at, epoch, cause: "restore", state: "" });
  }

  /** Tables that migrations of this database are noted in. */
  function tablesOf({ id }: Database): string[] {
    const noted = snapshots.migrationsOfDatabase(id).map(({ table }) => table);
    return [...new Set([DEFAULT_TABLE, ...noted])];
  }

  function find(database: Database, point: RestorePoint): SnapshotRecord {
    const found =
      "snapshot" in point
        ? snapshots.snapshot(database.id, point.snapshot)
        : snapshots.snapshots(database.id).find(({ at }) => at <= point.time);
    if (found) return found;
    const what = "snapshot" in point ? `"${point.snapshot.slice(0, 40)}"` : `of ${isoOf(point.time)} or before`;
    throw new WrkstError("ERR_NOT_FOUND", `the database "${database.name}" has no snapshot ${what}`, {
      hint: `see: wrkst d1 snapshots ${database.name}`,
    });
  }

  async function request(of: DatabaseRef, cause: DatabaseSnapshot["cause"], by?: Actor): Promise<DatabaseSnapshot> {
    return context.inTurn(of, async (database) => {
      const taken = await take(database, cause);
      const message = `a snapshot of the database "${database.name}" was taken: ${taken.id}`;
      if (by) registry.addEvent({ kind: "database.snapshot", ...belongingTo(database), message, actor: by });
      return shown(taken);
    });
  }

  return {
    take: (database, cause) => take(database, cause),
    takePast: (past) => take(past, "restore", Math.trunc(writtenAt(context.file(past)))),
    repeat,
    find,
    isCurrent(database) {
      const [last] = snapshots.snapshots(database.id);
      return last?.epoch === database.epoch && last.state === stateOf(context.file(database));
    },
    front: {
      snapshots: (of) => snapshots.snapshots(context.expect(of).id).map(shown),
      snapshot: request,
      snapshotFile: (of, id) => {
        const database = context.expect(of);
        return files.path(database.id, find(database, { snapshot: id }).id);
      },
      bookmark: (of, time = now()) => shown(find(context.expect(of), { time })),
    },
  };
}

/** As others see it. */
export function shown({ id, database, at, cause, size, migrations }: SnapshotRecord): DatabaseSnapshot {
  return { id, database, at, cause, size, migrations };
}

function isoOf(time: number): string {
  return Number.isFinite(time) && Math.abs(time) < 8.64e15 ? new Date(time).toISOString() : String(time);
}
