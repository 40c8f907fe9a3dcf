// What is in databases: calls, snapshots, restore, import and export. Who may, and which database is meant, is decided before.
import type { Rehearsals } from "../../runtime/rehearsal.js";
import type { Databases } from "../databases.js";
import { createCalling } from "./calling.js";
import { type Closing, createClosing } from "./closing.js";
import { ContentContext, type ContentDeps } from "./content-context.js";
import { createExporting } from "./exporting.js";
import { createImporting } from "./importing.js";
import { createMoving, type Moving } from "./moving.js";
import { createRestoring } from "./restoring.js";
import { createSnapshotting, type Snapshotting } from "./snapshotting.js";

export interface ContentsDeps extends ContentDeps {
  /** Where migrations run. */
  rehearsals: Pick<Rehearsals, "hold">;
  /** Where imports run. */
  imports: Pick<Rehearsals, "hold">;
}

export type Contents = Pick<
  Databases,
  "query" | "script" | "import" | "export" | "snapshots" | "snapshot" | "snapshotFile" | "bookmark" | "restore"
>;

/** Parts that others stand on: migrations, the schedule. */
export interface ContentParts {
  contents: Contents;
  context: ContentContext;
  snapshotting: Snapshotting;
  closing: Closing;
  moving: Moving;
}

export function createContents(deps: ContentsDeps): ContentParts {
  const context = new ContentContext(deps);
  const snapshotting = createSnapshotting(context);
  const restoring = createRestoring(context, snapshotting);
  const closing = createClosing(context);
  const moving = createMoving(context, snapshotting, deps.rehearsals);
  const importing = createMoving(context, snapshotting, deps.imports);
  const contents = {
    ...createCalling(context),
    ...createExporting(context),
    ...createImporting(context, { snapshotting, restoring, closing, moving: importing }),
    ...snapshotting.front,
    restore: restoring.restore,
  };
  return { contents, context, snapshotting, closing, moving };
}
