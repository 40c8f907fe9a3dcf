// Whether a reference that moved concerns a source. Pure.

import type { SourceSettings, SourceStatus } from "../../model.js";

/** What a source looks at, as far as it is known. */
export type Followed = Pick<SourceStatus, "branch"> & {
  settings?: Pick<SourceSettings, "follow" | "previews" | "account">;
};

/**
 * `followed`: what serves may move; `none`: nothing here looks at it. Any tag concerns a source of tags, since
 * one that is gone may be the one that serves.
 */
export function concernOf(ref: string | undefined, { branch, settings }: Followed): "followed" | "none" {
  const follow = settings?.follow ?? { branch };
  if (ref === undefined) return "followed";
  if ("tags" in follow) return ref.startsWith("refs/tags/") ? "followed" : "none";
  return ref === `refs/heads/${follow.branch}` ? "followed" : "none";
}
