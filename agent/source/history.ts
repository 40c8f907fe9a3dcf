// Whether a commit is part of what a remote has published: its branches and tags, with their history and without files, in a
// repository beside the mirror. Can be thrown away at any time.

import { rm } from "node:fs/promises";
import { type Call, type Connection, fetchRemote } from "./connection.js";
import { createBare, gitEnvironment, runGit } from "./git.js";
import { removeStaleLocks } from "./locks.js";

/** Branches and tags as they are now. */
const PUBLISHED = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
/** Commits without trees; a server that does not know how gives everything. */
const FLAGS = ["--filter=tree:0", "--no-tags", "--prune"];

/** @param gitDir folder of the repository. @throws as a fetch */
export async function isInHistory(
  gitDir: string,
  connection: Connection,
  commit: string,
  call: Call,
): Promise<boolean> {
  await bringUpToDate(gitDir, connection, call);
  return contains(gitDir, connection, commit, call.signal);
}

async function bringUpToDate(gitDir: string, connection: Connection, call: Call): Promise<void> {
  try {
    await createBare(gitDir, connection.environment);
    // Whoever asks waits for whoever asked before, so that every lock is of somebody dead.
    await removeStaleLocks(gitDir, Number.POSITIVE_INFINITY);
    await fetchRemote(connection, { gitDir, flags: FLAGS, specs: PUBLISHED }, call);
  } catch (error) {
    await rm(gitDir, { recursive: true, force: true });
    throw error;
  }
}

/** Asks this repository alone: git would ask the remote for what is missing here. */
async function contains(
  gitDir: string,
  { environment }: Connection,
  commit: string,
  signal: AbortSignal,
): Promise<boolean> {
  const only = gitEnvironment(environment, { GIT_ALLOW_PROTOCOL: "none" });
  const run = { gitDir, what: "reading the history", environment: only, signal };
  const args = ["for-each-ref", "--count=1", `--contains=${commit}`, "refs/heads", "refs/tags"];
  const found = await runGit(args, run).catch(() => "");
  signal.throwIfAborted();
  return found !== "";
}
