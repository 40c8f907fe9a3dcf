// Wires what is in databases: copies and rehearsals in processes of their own, snapshots, migrations, and the clock.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { D1Stats } from "../runtime/d1/wire.js";
import type { ArtifactStore } from "./artifact/index.js";
import { openActivity, openCopier, openSnapshotFiles } from "./databases/index.js";
import { reportOf } from "./errors.js";
import type { Log } from "./log.js";
import { createDatabases, type DatabaseParts } from "./reconcile/databases/index.js";
import { createTurns } from "./reconcile/turns.js";
import { isSettled } from "./runtime/patience.js";
import { openRehearsals, type RehearsalsOptions } from "./runtime/rehearsal.js";
import type { Runtime } from "./runtime/runtime.js";
import type { Registry } from "./store/index.js";

export interface AgentDatabases extends DatabaseParts {
  /** The runtime serves: from now on snapshots are taken and numbers are kept. */
  start(): void;
  /** Asks the runtime what happened in databases. Never rejects. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export interface AgentDatabasesOptions {
  dataDir: string;
  /** Milliseconds; null: nothing by the clock. */
  backupInterval: number | null;
  /** Milliseconds. */
  retention: number;
  log: Log;
  registry: Registry;
  artifacts: Pick<ArtifactStore, "put" | "get">;
  runtime: Pick<Runtime, "d1" | "isRunning" | "status">;
  /** RUNTIME_HANG_TIMEOUT in milliseconds. */
  hangTimeout: number;
  /** Folder for sockets. */
  runDir: string;
  /** Text of the configuration of the process in which SQL is rehearsed. */
  writeRehearsal: RehearsalsOptions["writeConfig"];
  publisher: { publish(): Promise<void> };
  wake(): void;
  /** What happened in databases since the call before. */
  onStats(stats: D1Stats): void;
}

/** Milliseconds between two looks at what happened in databases. */
const DRAIN_INTERVAL = 15_000;
/** Milliseconds: a runtime that hangs does not keep from anybody what was told before. */
const ANSWER_LIMIT = 1_000;

/** Removes what a crash left behind; nothing may have an object open yet. */
export function openAgentDatabases(options: AgentDatabasesOptions): AgentDatabases {
  const { dataDir, registry, runtime, log } = options;
  const temporary = join(dataDir, "tmp");
  rmSync(temporary, { recursive: true, force: true });
  const copier = openCopier();
  const open = (name: string) => openRehearsals({ ...options, temporary, name, writeConfig: options.writeRehearsal });
  const rehearsals = open("rehearsal");
  // An import may take minutes, for which no push waits.
  const imports = open("import");
  const activity = openActivity(join(dataDir, "activity.sqlite"), {
    now: Date.now,
    onDamage: (message) => log.warn(message),
  });
  let drained: Promise<void> = Promise.resolve();
  /** One after the other, so that whoever waits finds all that happened before. Never rejects. */
  const drain = () => {
    drained = drained.then(async () => {
      if (!runtime.isRunning()) return;
      try {
        const stats = await runtime.d1.stats();
        options.onStats(stats);
        activity.add(stats);
      } catch (error) {
        log.debug({ err: reportOf(error) }, "the numbers of databases could not be read");
      }
    });
    return drained;
  };
  const parts = createDatabases({
    ...options,
    ...{ temporary, rehearsals, imports },
    runtime: runtime.d1,
    runtimeLife: () => runtime.status().pid,
    files: openSnapshotFiles(join(dataDir, "backups"), copier),
    turns: createTurns(),
    now: Date.now,
    activityOf: async (database) => {
      await isSettled(drain(), ANSWER_LIMIT);
      return activity.of(database);
    },
    servingVersion: (id) => registry.functionById(id)?.latest ?? undefined,
  });
  parts.collecting.recover();
  parts.copying.recover();

  let draining: NodeJS.Timeout | undefined;
  return {
    ...parts,
    drain,
    start() {
      parts.scheduling.start();
      draining = setInterval(drain, DRAIN_INTERVAL);
      draining.unref();
    },
    async close() {
      clearInterval(draining);
      await parts.scheduling.close();
      await Promise.all([copier.close(), rehearsals.close(), imports.close()]);
      await parts.copying.close();
      await drain();
      activity.close();
    },
  };
}
