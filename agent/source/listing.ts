// What a remote showed of its references, and what of it is followed. Pure.

import { WrkstError } from "../errors.js";
import type { FollowedTag, SourceSettings } from "../model.js";
import { redact } from "./git.js";
import { newestTag } from "./tags.js";

export type Follow = SourceSettings["follow"];

/** Where a source is: the commit, and the tag that leads to it where tags are followed. */
export interface Tip {
  commit: string;
  tag?: FollowedTag;
}

export interface Listing {
  /** Branches: name → commit. */
  heads: Map<string, string>;
  /** Tags: name → the object that it names, and the commit behind it as far as it was told. */
  tags: Map<string, { id: string; commit: string }>;
}

/** Reads lines of `git ls-remote`; those with `^{}` tell what an annotated tag leads to. */
export function parseListing(text: string): Listing {
  const listing: Listing = { heads: new Map(), tags: new Map() };
  const peeled = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, id, folder, name] = /^([0-9a-f]{40})\trefs\/(heads|tags)\/(.+)$/.exec(line) ?? [];
    if (!id || !name) continue;
    if (folder === "heads") listing.heads.set(name, id);
    else if (name.endsWith("^{}")) peeled.set(name.slice(0, -3), id);
    else listing.tags.set(name, { id, commit: id });
  }
  for (const [name, commit] of peeled) {
    const tag = listing.tags.get(name);
    if (tag) listing.tags.set(name, { ...tag, commit });
  }
  return listing;
}

/** @throws WrkstError ERR_GIT_NO_BRANCH where nothing of what is followed is there */
export function tipOf({ heads, tags }: Listing, follow: Follow, repo: string): Tip {
  if ("branch" in follow) {
    const commit = heads.get(follow.branch);
    if (commit === undefined) throw noBranch(follow.branch, repo);
    return { commit };
  }
  const name = newestTag(tags.keys(), follow.tags);
  const tag = name === undefined ? undefined : tags.get(name);
  if (name === undefined || !tag) throw noTag(follow.tags, repo);
  return { commit: tag.commit, tag: { name, id: tag.id } };
}

/** The reference that leads to it, in full. */
export function referenceOf(follow: Follow, tip: Tip): string {
  return "branch" in follow ? `refs/heads/${follow.branch}` : `refs/tags/${tip.tag?.name}`;
}

export function noBranch(branch: string, repo: string): WrkstError {
  return new WrkstError("ERR_GIT_NO_BRANCH", `branch "${branch}" does not exist in "${redact(repo)}"`, {
    hint: `push the branch: git push <remote> HEAD:${branch}`,
  });
}

export function noTag(range: string, repo: string): WrkstError {
  return new WrkstError("ERR_GIT_NO_BRANCH", `"${redact(repo)}" has no tag whose name is a version in "${range}"`, {
    hint: "push one, for example: git tag v1.2.0 && git push <remote> v1.2.0",
  });
}

export function noCommit(tag: string): WrkstError {
  return new WrkstError("ERR_GIT", `expected the tag "${tag}" to lead to a commit`, {
    hint: "move the tag to a commit, or delete it",
  });
}
