// The front of the store stage: the registry and the shapes of what it keeps.

export type { CommitRef, CommitStatusRecords, StatusRecord } from "./commit-statuses.js";
export { type AppliedMigration, COPY_EPOCH, type CopyRecord, type CopyRecords, copyObject } from "./copies.js";
export type { BindingsFound, BindingsWanted } from "./database-bindings.js";
export type { DatabaseRecord, DatabaseRecords, NewDatabase } from "./databases.js";
export { pinnedByRepository } from "./declared-pins.js";
export type { DeliveryRecords } from "./deliveries.js";
export { type DirectChange, type DirectResult, refuseSuspended } from "./direct.js";
export type { EventQuery, NewEvent } from "./events.js";
export type { FunctionRecord } from "./functions.js";
export type { Garbage } from "./garbage.js";
export { waitingKey } from "./holds.js";
export type { NotedWrite, WriteRecords, WriteRef } from "./kept-writes.js";
export { type DeliveryRecord, MOST_WAITING, type NotificationRecords } from "./notifications.js";
export type { WouldBind } from "./preview-bindings.js";
export type { PastCommit } from "./preview-commits.js";
export type { PreviewFunction, PreviewRecord } from "./preview-rows.js";
export { type PreviewRecords, previewHolder } from "./previews.js";
export { openRegistry, type Registry, type RegistryOptions } from "./registry.js";
export type { MigrationsNote, SnapshotRecord, SnapshotRecords } from "./snapshots.js";
export type { RevisionRecord, SourceRecord } from "./sources.js";
export {
  type FunctionChange,
  MAIN_ACCOUNT,
  type NewBuild,
  type NewVersion,
  type Switch,
  type SwitchResult,
} from "./switch.js";
export type { AliasRecord, BuildRecord } from "./versions.js";
