// Takes snapshots by the clock: of every database that has changed since its last one. One at a time; a failure of one stops no other.
import { sizeOf } from "../../databases/index.js";
import { reportOf } from "../../errors.js";
import { belongingTo } from "./belonging.js";
import type { ContentContext } from "./content-context.js";
import type { Snapshotting } from "./snapshotting.js";

export interface Scheduling {
  start(): void;
  /** Takes what is due; answers ids of databases. Never rejects. */
  look(): Promise<string[]>;
  close(): Promise<void>;
}

/** Milliseconds between two looks, at most and at least. */
const LONGEST_WAIT = 600_000;
const SHORTEST_WAIT = 1_000;

export function createScheduling(
  context: ContentContext,
  snapshotting: Snapshotting,
  options: { backupInterval: number | null; log: { warn(fields: object, message: string): void } },
): Scheduling {
  const { registry, now } = context.deps;
  const { backupInterval, log } = options;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  async function look(): Promise<string[]> {
    if (backupInterval === null) return [];
    const last = new Map(registry.snapshots.lastSnapshots().map((snapshot) => [snapshot.database, snapshot.at]));
    const taken: string[] = [];
    for (const found of registry.databases.all()) {
      const { id, account, name } = found;
      if (isClosed) break;
      if ((last.get(id) ?? 0) > now() - backupInterval) continue;
      try {
        const of = { account, database: id };
        await context.inTurn(of, async (database) => {
          if (sizeOf(context.file(database)) === 0 || snapshotting.isCurrent(database)) return;
          await snapshotting.take(database, "schedule");
          taken.push(id);
        });
      } catch (error) {
        const report = reportOf(error);
        log.warn({ err: report, database: name }, "a snapshot could not be taken");
        const message = `no snapshot of the database "${name}" could be taken: ${report.message}`;
        registry.addEvent({ kind: "database.snapshot-failed", ...belongingTo(found), message, error: report });
      }
    }
    return taken;
  }

  function plan(): void {
    if (backupInterval === null || isClosed) return;
    timer = setTimeout(
      () => {
        working = look().finally(plan);
      },
      Math.min(Math.max(backupInterval / 4, SHORTEST_WAIT), LONGEST_WAIT),
    );
    timer.unref();
  }

  return {
    start: plan,
    look,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await working;
    },
  };
}
