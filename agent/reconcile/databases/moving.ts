// Changes a database by work on a copy in a process of its own, and makes the copy the database, as another object. No write in
// between is lost and no call fails: what may write waits while the registry is switched, and then goes to the new object.
import { randomUUID } from "node:crypto";
import { objectFile, objectName, removeObject } from "../../databases/index.js";
import { WrkstError } from "../../errors.js";
import type { Database } from "../../model.js";
import type { Rehearsal, Rehearsals } from "../../runtime/rehearsal.js";
import type { NewEvent, SnapshotRecord } from "../../store/index.js";
import type { ContentContext } from "./content-context.js";
import { EPOCH } from "./rehearsing.js";
import type { Snapshotting } from "./snapshotting.js";

export interface Move<T> {
  cause: SnapshotRecord["cause"];
  signal?: AbortSignal | undefined;
  /** Takes a snapshot also where nothing is to be kept. */
  alsoEmpty?: boolean;
  /** Once for each attempt, with a new copy. @throws where the database is to stay as it is */
  work(rehearsal: Rehearsal, object: string): Promise<T>;
  event(snapshot: SnapshotRecord | null): NewEvent;
}

export interface Moving {
  /**
   * In its caller's turn. `snapshot` is what there was, all of which the new one was made of; null: nothing.
   * @throws what the work throws, the reason of the signal; nothing was changed then
   */
  move<T>(database: Database, move: Move<T>): Promise<{ result: T; snapshot: SnapshotRecord | null }>;
  /** Whether anything was ever made in it. */
  hasAnything(database: Database): Promise<boolean>;
}

/** Bytes of a database; to copy more takes too long and too much of the disk. */
export const LARGEST_COPY = 2 ** 30;
/** In the first one nobody waits; where somebody wrote meanwhile, writes wait from the beginning of the next. */
const ATTEMPTS = 4;

export function createMoving(
  context: ContentContext,
  snapshotting: Snapshotting,
  rehearsals: Pick<Rehearsals, "hold">,
): Moving {
  const { registry, files, runtime, runtimeLife, publisher, wake } = context.deps;

  async function move<T>(database: Database, wanted: Move<T>) {
    const signal = wanted.signal ?? new AbortController().signal;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Its turn comes first: nobody's writes wait for the work of others.
      const moved = await rehearsals.hold(signal, (rehearsal) => tryOnce(database, wanted, rehearsal, attempt > 0));
      if (moved) return moved;
    }
    throw new WrkstError(
      "ERR_RUNTIME",
      `the runtime was restarted again and again while "${database.name}" was changed`,
      {
        hint: "nothing was changed: try again",
      },
    );
  }

  /** Undefined where somebody may have written meanwhile. */
  async function tryOnce<T>(database: Database, wanted: Move<T>, rehearsal: Rehearsal, isHeld: boolean) {
    const isThere = await hasAnything(database);
    const life = runtimeLife();
    const object = context.object(database);
    const next = { ...database, epoch: context.takeEpoch(database) };
    try {
      const before = await runtime.hold(object, isHeld);
      const snapshot = isThere || wanted.alsoEmpty ? await snapshotting.take(database, wanted.cause) : null;
      const result = await makeNext(next, snapshot, rehearsal, wanted);
      const after = await runtime.hold(object, true);
      wanted.signal?.throwIfAborted();
      // A process that began meanwhile held nobody back.
      if (runtimeLife() !== life || (!isHeld && after !== before)) return undefined;
      registry.databases.together(() => {
        registry.databases.raiseEpoch(database.id, next.epoch);
        registry.addEvent(wanted.event(snapshot));
      });
      await follow(database, next);
      return { result, snapshot };
    } finally {
      if (!isSwitched(next)) await undo(database, next);
    }
  }

  async function makeNext<T>(next: Database, snapshot: SnapshotRecord | null, rehearsal: Rehearsal, { work }: Move<T>) {
    const id = randomUUID();
    const copy = objectFile(rehearsal.folder, id, EPOCH);
    try {
      if (snapshot?.size) await files.lend(snapshot.database, snapshot.id, copy);
      const result = await work(rehearsal, objectName(id, EPOCH));
      await files.placeLive(copy, context.file(next));
      return result;
    } finally {
      removeObject(copy);
    }
  }

  /** It is switched: a process that does not hear of it is on its end, and the next one begins with what the registry says. */
  async function follow(database: Database, next: Database): Promise<void> {
    try {
      await runtime.succeed(context.object(database), context.object(next));
      await publisher.publish();
    } catch (error) {
      wake();
      throw error;
    }
  }

  async function undo(database: Database, next: Database): Promise<void> {
    removeObject(context.file(next));
    // A process that does not hear of it is on its end, and the next one holds nobody back.
    await runtime.hold(context.object(database), false).catch(() => {});
  }

  /** Also of one that was removed meanwhile. */
  const isSwitched = ({ id, epoch }: Database) => registry.databases.byId(id)?.epoch === epoch;

  async function hasAnything(database: Database): Promise<boolean> {
    if (context.size(database) === 0) return false;
    const statements = [{ sql: "SELECT 1 FROM sqlite_schema LIMIT 1" }];
    const answer = await runtime.call({ object: context.object(database), statements, isOwn: true });
    if (!answer.ok) throw new WrkstError("ERR_SQL", answer.error);
    return Boolean(answer.results[0]?.rows.length);
  }

  return { move, hasAnything };
}
