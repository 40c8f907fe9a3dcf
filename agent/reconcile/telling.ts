// Telling others what became of commits: the contract between the API and what does it. Types only.

import type { Actor, CommitStatusDetail, CommitStatusRequest, SourceDetail } from "../model.js";

/** Every write is an audit event with the actor. */
export interface Telling {
  /**
   * Shows the state of the source's commits at its forge from now on.
   * @throws WrkstError ERR_INVALID; ERR_FORBIDDEN for an address that may not be asked
   */
  setCommitStatus(
    source: Pick<SourceDetail, "name" | "settings">,
    request: CommitStatusRequest,
    by: Actor,
  ): Promise<CommitStatusDetail>;
  /** @throws WrkstError ERR_NOT_FOUND where none is shown */
  removeCommitStatus(source: string, by: Actor): void;
}
