// What is in databases: calls, snapshots, restore, import and export. Who may, and which database is meant, is decided before.
import type { Databases } from "../databases.js";
import { createCalling } from "./calling.js";
import { type Closing, createClosing } from "./closing.js";
import { ContentContext, type ContentDeps } from "./content-context.js";
import { createExporting } from "./exporting.js";
import { createImporting } from "./importing.js";
import { createRestoring } from "./restoring.js";
import { createSnapshotting, type Snapshotting } from "./snapshotting.js";

export type { ContentDeps };

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
}

export function createContents(deps: ContentDeps): ContentParts {
  const context = new ContentContext(deps);
  const snapshotting = createSnapshotting(context);
  const restoring = createRestoring(context, snapshotting);
  const closing = createClosing(context);
  const contents = {
    ...createCalling(context),
    ...createExporting(context),
    ...createImporting(context, { snapshotting, restoring, closing }),
    ...snapshotting.front,
    restore: restoring.restore,
  };
  return { contents, context, snapshotting, closing };
}
