// Previews as the API has them: the contract with what makes them. Types only.
import type { Actor, CommitPreview, FunctionRef, PreviewEntry } from "../model.js";

/** A preview that is being made. */
export interface PreviewJob {
  /** Of the job, and of the preview. */
  id: string;
  source: string;
  state: "running" | "done";
  preview: PreviewEntry;
}

export interface PreviewRequest {
  /** A commit by 7 digits or more, a tag or a branch. */
  ref: string;
  /** Answer when it is made; otherwise, where it is not there, at once with the job. */
  wait: boolean;
  signal: AbortSignal;
}

/** Whatever names a function throws ERR_NOT_FOUND where the account has none of that name. */
export interface CommitPreviews {
  /**
   * What the function is at a commit: found, or made of it as the commit declares it. Two requests share one build, and each
   * puts off the end of the preview.
   * @throws WrkstError ERR_NOT_FOUND (commit, or no such function in it), ERR_CONFLICT (no source declares the function, or it
   * wants no previews), ERR_SUSPENDED, ERR_RATE_LIMITED (too many wait), ERR_GIT_…; with `wait` why it could not be made
   */
  request(of: FunctionRef, request: PreviewRequest, by: Actor): Promise<CommitPreview | PreviewJob>;
  /** By function, then branch, then commit; of all functions where none is named. */
  list(name?: string): PreviewEntry[];
  /** Of a commit that was asked for, by 7 digits or more. @throws WrkstError ERR_NOT_FOUND, ERR_CONFLICT for a branch's */
  remove(of: FunctionRef, commit: string, by: Actor): Promise<void>;
  /** By the id of the preview. */
  job(id: string): PreviewJob | undefined;
}
