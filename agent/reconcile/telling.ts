// Telling others what happens, and forges what became of commits: the contract between the API and what does it. Types only.

import type {
  Actor,
  CommitStatusDetail,
  CommitStatusRequest,
  NotificationDetail,
  NotificationRequest,
  NotificationTest,
  ReceiverKind,
  SourceDetail,
} from "../model.js";

/** Every write is an audit event with the actor. */
export interface Telling {
  /**
   * Shows the state of the source's commits at its forge from now on.
   * @throws WrkstError ERR_INVALID, also for an address that may not be asked
   */
  setCommitStatus(
    source: Pick<SourceDetail, "name" | "settings">,
    request: CommitStatusRequest,
    by: Actor,
  ): Promise<CommitStatusDetail>;
  /** @throws WrkstError ERR_NOT_FOUND where none is shown */
  removeCommitStatus(source: string, by: Actor): void;
  /** By name. */
  notifications(): NotificationDetail[];
  /** @throws WrkstError ERR_NOT_FOUND, as all that follow */
  notification(name: string): NotificationDetail;
  /**
   * Tells a receiver what happens from now on. The secret to sign with is answered here, and never again.
   * @throws WrkstError ERR_INVALID, also for an address that may not be asked; ERR_CONFLICT (name in use)
   */
  addNotification(
    name: string,
    request: NotificationRequest & { kind: ReceiverKind },
    by: Actor,
  ): Promise<{ notification: NotificationDetail; secret?: string }>;
  editNotification(
    name: string,
    request: NotificationRequest,
    by: Actor,
  ): Promise<{ notification: NotificationDetail; secret?: string }>;
  removeNotification(name: string, by: Actor): void;
  /** Sends one now. */
  testNotification(name: string, by: Actor): Promise<NotificationTest>;
}
