// Whether a reference that moved concerns a source. Pure.

import type { SourceSettings, SourceStatus } from "../../model.js";
import { matchesBranch } from "../../plan/branch-labels.js";

/** What a source looks at; without settings: its branch. */
export type Followed = Pick<SourceStatus, "branch"> & {
  settings?: Pick<SourceSettings, "follow" | "previews" | "account">;
};

/**
 * `followed`: what serves may move; `previewed`: a preview may; `none`: nothing here looks at it. Any tag concerns a
 * source of tags, since one that is gone may be the one that serves. A reference that is not named may be any.
 */
export function concernOf(ref: string | undefined, { branch, settings }: Followed): "followed" | "previewed" | "none" {
  const follow = settings?.follow ?? { branch };
  if (ref === undefined) return "followed";
  if ("tags" in follow ? ref.startsWith("refs/tags/") : ref === `refs/heads/${follow.branch}`) return "followed";
  const [, other] = /^refs\/heads\/(.+)$/s.exec(ref) ?? [];
  return other !== undefined && matchesBranch(settings?.previews ?? [], other) ? "previewed" : "none";
}
