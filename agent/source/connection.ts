// How a remote is asked: the only way to it. Every connection waits for its turn, and is admitted before it is made.

import { mkdir, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BaseEnvironment, gitEnvironment, type RunOptions, redact, runGit } from "./git.js";
import { type Access, hostOf, type Remote } from "./remote.js";
import type { GitSlots, Rank } from "./slots.js";

export interface Connection {
  /** Folder of the mirror; settings for git lie beside it. */
  dir: string;
  remote: Remote;
  access: Access;
  /** Asked before each connection; it rejects where none may be made. */
  admit?: () => Promise<void>;
  /** Waited for before each connection. */
  slots?: GitSlots | undefined;
  environment?: BaseEnvironment | undefined;
  /** Milliseconds. */
  timeouts: { list: number; fetch: number };
}

/** How the remote is asked. */
export interface Call {
  signal: AbortSignal;
  rank: Rank;
}

/** What `git ls-remote` prints of the references with these names, or of such a pattern. */
export async function listRemote(
  connection: Connection,
  names: readonly string[],
  call: Call,
  flags: readonly string[] = [],
): Promise<string> {
  const { remote, timeouts } = connection;
  const args = ["ls-remote", ...flags, "--end-of-options", remote.url, ...names];
  // No repository is needed, so that a broken mirror does not stand in the way.
  return talk(connection, args, call, { gitDir: "/dev/null", timeout: timeouts.list });
}

export interface Fetching {
  /** Repository that is fetched into. */
  gitDir: string;
  flags: readonly string[];
  /** What, and where to. */
  specs: readonly string[];
}

export async function fetchRemote(
  connection: Connection,
  { gitDir, flags, specs }: Fetching,
  call: Call,
): Promise<void> {
  const { remote, timeouts } = connection;
  const always = ["--quiet", "--update-shallow", "--no-write-fetch-head", "--no-auto-maintenance"];
  const args = ["fetch", ...always, ...flags, "--end-of-options", remote.url, ...specs];
  await talk(connection, args, call, { gitDir, timeout: timeouts.fetch });
}

/** The one way to the remote. */
async function talk(
  connection: Connection,
  args: string[],
  { signal, rank }: Call,
  run: Pick<RunOptions, "gitDir" | "timeout">,
): Promise<string> {
  await ensureSettings(connection);
  const { admit, slots, remote } = connection;
  const work = async () => {
    await admit?.();
    return runGit(args, { ...runOptions(connection), ...run, signal });
  };
  return slots ? slots.run({ rank, host: hostOf(remote), signal }, work) : work();
}

function runOptions(connection: Connection): Omit<RunOptions, "gitDir"> {
  const { remote, access, environment } = connection;
  const local = remote.kind === "local" ? { GIT_CONFIG_GLOBAL: settingsFile(connection) } : {};
  return {
    what: `fetching "${redact(remote.url, access.secrets)}"`,
    environment: gitEnvironment(environment, { ...access.environment, ...local }),
    config: access.config,
    secrets: access.secrets,
  };
}

function settingsFile({ dir }: Connection): string {
  return `${dir}.settings`;
}

/**
 * git refuses a repository of another user unless its path is named in the user's own settings, and arguments do not reach
 * the process that serves a local path: a settings file with nothing else in it does. The operator named the path.
 */
async function ensureSettings(connection: Connection): Promise<void> {
  const { dir, remote } = connection;
  if (remote.kind !== "local") return;
  const real = await realpath(remote.url).catch(() => remote.url);
  const paths = [...new Set([remote.url, real])].flatMap((path) => [path, join(path, ".git")]);
  const lines = paths.map((path) => `\tdirectory = "${path.replace(/[\\"]/g, "\\$&")}"\n`);
  await mkdir(dirname(dir), { recursive: true });
  await writeFile(settingsFile(connection), `[safe]\n${lines.join("")}`, { mode: 0o600 });
}
