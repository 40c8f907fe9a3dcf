// The front of the stage that knows files of databases, and SQL as text.

export { objectName } from "../../runtime/d1/wire.js";
export { type Activity, openActivity } from "./activity.js";
export { type Copier, openCopier } from "./copier.js";
export {
  beyond,
  createTable,
  hasTable,
  listApplied,
  migrationError,
  pendingOf,
  rehearsalError,
  scriptOf,
  warnOfChanged,
} from "./migrations.js";
export { objectFile, objectFolder, removeObject, sizeOf, stateOf, writtenAt } from "./object-file.js";
export { isSnapshotId, newSnapshotId, openSnapshotFiles, type SnapshotFiles, sweepHalves } from "./snapshot-files.js";
export { createSplitter, firstWordFrom, placeOf, type SqlStatement } from "./sql-text.js";
