// All that can be done with databases by hand, and what passes and the agent ask of them.
import type { DatabaseActivity } from "../../model.js";
import type { Databases } from "../databases.js";
import type { Closing } from "./closing.js";
import { type Collecting, createCollecting } from "./collecting.js";
import { type ContentsDeps, createContents } from "./contents.js";
import { createCopyMigrating, createFileMigrating } from "./copy-migrating.js";
import { type Copying, createCopying } from "./copying.js";
import { createDetailing } from "./detailing.js";
import { createKeeping, type KeepingDeps } from "./keeping.js";
import { createMigrating, type Migrating, type MigratingDeps } from "./migrating.js";
import { createScheduling, type Scheduling } from "./scheduling.js";

export type { Copying } from "./copying.js";
export type { Migrated, Migrating } from "./migrating.js";
export type { CopyWanted, PreviewCopies, PreviewWork } from "./preview-copying.js";

export interface DatabasesDeps extends Omit<ContentsDeps, "expect">, MigratingDeps {
  activityOf(database: string): Promise<DatabaseActivity>;
  registry: ContentsDeps["registry"] & KeepingDeps["registry"];
  /** Milliseconds; null: nothing by the clock. */
  backupInterval: number | null;
  /** Milliseconds that snapshots and removed databases are kept. */
  retention: number;
  log: { warn(fields: object, message: string): void };
}

export interface DatabaseParts {
  databases: Databases;
  migrating: Migrating;
  scheduling: Scheduling;
  collecting: Collecting;
  copying: Copying;
  closing: Closing;
}

export function createDatabases(deps: DatabasesDeps): DatabaseParts {
  const keeping = createKeeping(deps);
  const { expect, ...kept } = keeping;
  const { contents, context, snapshotting, closing, moving } = createContents({ ...deps, expect });
  const migrating = createMigrating(context, { snapshotting, moving }, deps);
  const migrateFile = createFileMigrating(context, deps.rehearsals);
  const databases: Databases = {
    ...kept,
    ...contents,
    ...migrating.front,
    ...createDetailing(context, keeping),
    activity: async (of) => deps.activityOf(expect(of).id),
  };
  return {
    databases,
    migrating,
    scheduling: createScheduling(context, snapshotting, deps),
    collecting: createCollecting(context, snapshotting, deps),
    copying: createCopying(context, {
      ...{ log: deps.log, applied: migrating, migrateFile },
      migrating: createCopyMigrating(context, { migrating, migrateFile }),
    }),
    closing,
  };
}
