// Where references that are to stay lead: tags, and commits by their digits. A branch is told from them. Pure.

import { validateBranch } from "./remote.js";
import { COMMIT } from "./resolve.js";

/** What a reference stands for now; `prefix`: the first digits of a commit, for all that the references say. */
export type Pinned =
  | { kind: "tag"; commit: string; tag: { name: string; id: string } }
  | { kind: "commit"; commit: string }
  | { kind: "prefix" | "branch" | "missing" };

const PREFIX = /^[0-9a-f]{7,39}$/;

/** Full names to ask a repository for; none where all are whole commits. @throws ERR_GIT_REFUSED */
export function namesOfPinned(refs: readonly string[]): string[] {
  return refs
    .filter((ref) => !COMMIT.test(ref))
    .flatMap((ref) => [tagOf(ref), `${tagOf(ref)}^{}`, `refs/heads/${validateBranch(ref)}`]);
}

/** The full name of a tag. @throws ERR_GIT_REFUSED */
export function tagOf(name: string): string {
  return `refs/tags/${validateBranch(name)}`;
}

/** @param listed full name → id; with `^{}` behind the name, what an annotated tag is of */
export function readPinned(refs: readonly string[], listed: ReadonlyMap<string, string>): Map<string, Pinned> {
  return new Map(refs.map((ref) => [ref, pinnedOf(ref, listed)]));
}

function pinnedOf(ref: string, listed: ReadonlyMap<string, string>): Pinned {
  if (COMMIT.test(ref)) return { kind: "commit", commit: ref };
  const id = listed.get(tagOf(ref));
  if (id !== undefined) {
    return { kind: "tag", commit: listed.get(`${tagOf(ref)}^{}`) ?? id, tag: { name: ref, id } };
  }
  if (listed.has(`refs/heads/${ref}`)) return { kind: "branch" };
  return { kind: PREFIX.test(ref) ? "prefix" : "missing" };
}

/** Lines of `git ls-remote`. */
export function readListed(text: string): Map<string, string> {
  const lines = text.split("\n").map((line) => /^([0-9a-f]{40})\t(.+)$/.exec(line));
  return new Map(lines.flatMap((found) => (found ? [[found[2]!, found[1]!] as const] : [])));
}
