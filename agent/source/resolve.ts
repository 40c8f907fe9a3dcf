// From what people call a revision, a branch, a tag or a commit, to its commit. Reads references; moves none that is followed.

import { WrkstError } from "../errors.js";
import { type BaseEnvironment, gitEnvironment, runGit } from "./git.js";
import { printable, validateBranch } from "./remote.js";

export const COMMIT = /^[0-9a-f]{40}$/;
const PREFIX = /^[0-9a-f]{7,40}$/;

/** Full references that the name may stand for, in the order in which git looks. @throws ERR_GIT_REFUSED */
export function candidatesOf(ref: string): string[] {
  const name = validateRef(ref);
  if (name.startsWith("refs/tags/")) return [name];
  return [`refs/heads/${name}`, `refs/tags/${name}`];
}

/** The commit as far as the repository on this machine knows it. A tag is peeled. @throws ERR_GIT_REFUSED */
export async function resolveHere(
  gitDir: string,
  ref: string,
  { environment, signal }: { environment?: BaseEnvironment | undefined; signal: AbortSignal },
): Promise<string | undefined> {
  const names = [...candidatesOf(ref), ...(PREFIX.test(ref) ? [ref] : [])];
  for (const name of names) {
    const args = ["rev-parse", "--quiet", "--verify", "--end-of-options", `${name}^{commit}`];
    const run = { gitDir, what: "reading a reference", environment: gitEnvironment(environment), signal };
    const commit = (await runGit(args, run).catch(() => "")).trim();
    signal.throwIfAborted();
    if (COMMIT.test(commit)) return commit;
  }
  return undefined;
}

/** A name, never an expression: what `~` and `^` lead to may not have been fetched. */
function validateRef(ref: string): string {
  try {
    return validateBranch(ref);
  } catch (cause) {
    throw new WrkstError("ERR_GIT_REFUSED", `"${printable(ref)}" is not the name of a branch or tag, nor a commit`, {
      hint: "expressions such as main~1 are not read: name the commit, git rev-parse main~1",
      cause,
    });
  }
}

export function noRevision(ref: string, repo: string): WrkstError {
  return new WrkstError("ERR_NOT_FOUND", `"${printable(ref)}" is no branch, tag or commit of "${repo}"`, {
    hint: "push it first, or name the commit by its 40 digits",
  });
}
