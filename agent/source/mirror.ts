// A bare repository of the agent's own that holds the followed branch of a remote, shallow. Can be thrown away at any time: it is rebuilt from the remote.

import { mkdir, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ErrorCode, WrkstError } from "../errors.js";
import { type BaseEnvironment, gitEnvironment, gitError, openGit, type RunOptions, redact, runGit } from "./git.js";
import { removeStaleLocks } from "./locks.js";
import { type Objects, openObjects } from "./objects.js";
import { readListed } from "./pinned.js";
import { type Access, type Remote, validateBranch } from "./remote.js";
import { COMMIT, candidatesOf, resolveHere } from "./resolve.js";

export interface MirrorOptions {
  /** Folder of the mirror, `<name>.git`. */
  dir: string;
  remote: Remote;
  access: Access;
  branch: string;
  /** Asked before each connection; it rejects where none may be made. */
  admit?: () => Promise<void>;
  /** Every look asks for all branches, so that those of previews need no look of their own. */
  seesAll?: boolean;
  environment?: BaseEnvironment | undefined;
  /** Milliseconds. */
  timeouts: { list: number; fetch: number };
}

export interface Mirror {
  /** Commit of the branch at the remote. @throws ERR_GIT_NO_BRANCH when the remote answers and has no such branch. */
  list(signal: AbortSignal): Promise<string>;
  /** All branches as the last look saw them: name → commit. */
  heads(signal: AbortSignal): Promise<Map<string, string>>;
  /** What the remote has of these full names, of tags also what they are of (`^{}` behind the name): name → id. */
  listed(names: string[], signal: AbortSignal): Promise<Map<string, string>>;
  /** Brings in further branches as they are now. */
  fetchBranches(branches: string[], signal: AbortSignal): Promise<void>;
  /** Brings in the branch as it is now and returns its commit; the mirror is rebuilt when it is broken. */
  fetch(signal: AbortSignal): Promise<string>;
  /**
   * As `fetch`, without a look before: undefined where it did not go well and a look must say why. For what was announced a
   * moment ago, so it waits no longer than a look would.
   */
  fetchAtOnce(signal: AbortSignal): Promise<string | undefined>;
  /** The commit that was brought in last, undefined when there is none or the mirror is not to be trusted. */
  current(): Promise<string | undefined>;
  /** The commit that the remote, or the mirror, knows by the name, brought in. Must not run beside a fetch. */
  resolve(ref: string, signal: AbortSignal): Promise<string | undefined>;
  objects(): Objects;
  close(): void;
}

const FOLLOWED = "refs/wrkst/followed";
/** What somebody asked for last. */
const ASKED = "refs/wrkst/asked";
/** What a fetch without a look does not tell from a mirror that is broken. */
const UNCLEAR = new Set<ErrorCode>(["ERR_GIT", "ERR_GIT_UNREACHABLE", "ERR_GIT_NO_BRANCH"]);
/** After so many fetches that brought something, the mirror is made anew: a shallow mirror is cheaper to refetch than to collect. */
const FETCHES_OF_A_LIFE = 2_000;

export function openMirror(options: MirrorOptions): Mirror {
  let suspect = false;
  let fetches = 0;
  let objects: Objects | undefined;

  let heads: Map<string, string> | undefined;

  async function look(signal: AbortSignal): Promise<Map<string, string>> {
    await ensureSettings(options);
    const ref = options.seesAll ? "refs/heads/*" : `refs/heads/${options.branch}`;
    // By the option the server is asked for branches alone, by the pattern git leaves out all others.
    const args = ["ls-remote", "--refs", "--heads", "--end-of-options", options.remote.url, ref];
    // No repository is needed, so that a broken mirror does not stand in the way.
    const run = { ...runOptions(options, "/dev/null", signal), timeout: options.timeouts.list };
    const lines = (await talk(options, args, run))
      .split("\n")
      .map((line) => /^([0-9a-f]{40})\trefs\/heads\/(.+)$/.exec(line));
    return new Map(lines.flatMap((found) => (found ? [[found[2]!, found[1]!] as const] : [])));
  }

  const open = () => {
    objects ??= openObjects({
      gitDir: options.dir,
      environment: options.environment,
      onBroken: () => {
        suspect = true;
      },
    });
    return objects;
  };

  async function rebuild(signal: AbortSignal): Promise<string> {
    const fresh = `${options.dir}.new`;
    await rm(fresh, { recursive: true, force: true });
    try {
      await createBare(fresh, options.environment);
      await fetchInto(fresh, options, signal);
    } catch (error) {
      // Half a mirror may be what fills the disk.
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
    objects?.close();
    objects = undefined;
    await rm(options.dir, { recursive: true, force: true });
    await rename(fresh, options.dir);
    suspect = false;
    fetches = 0;
    return followed(open());
  }

  const mustRebuild = async () => suspect || fetches >= FETCHES_OF_A_LIFE || !(await exists(join(options.dir, "HEAD")));

  async function update(signal: AbortSignal, timeout = options.timeouts.fetch): Promise<string> {
    // Only this process writes here, and its fetches wait for each other: every lock is of somebody dead.
    await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
    fetches += 1;
    await fetchInto(options.dir, { ...options, timeouts: { ...options.timeouts, fetch: timeout } }, signal);
    return followed(open());
  }

  return {
    async list(signal) {
      const found = await look(signal);
      if (options.seesAll) heads = found;
      const commit = found.get(options.branch);
      if (commit === undefined) throw noBranch(options.branch, options.remote.url);
      return commit;
    },
    async heads(signal) {
      heads ??= await look(signal);
      return heads;
    },
    async listed(names, signal) {
      await ensureSettings(options);
      const args = ["ls-remote", "--end-of-options", options.remote.url, ...names];
      const run = { ...runOptions(options, "/dev/null", signal), timeout: options.timeouts.list };
      return readListed(await talk(options, args, run));
    },
    async fetchBranches(branches, signal) {
      const specs = branches.map((branch) => `+refs/heads/${validateBranch(branch)}:refs/wrkst/branches/${branch}`);
      await fetchInto(options.dir, options, signal, specs);
    },
    async fetch(signal) {
      try {
        return (await mustRebuild()) ? await rebuild(signal) : await update(signal);
      } catch (error) {
        // What came in half stays where it is unless somebody takes it away, and may be what fills the disk.
        await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
        // The remote was listed a moment ago, so the mirror itself may be what is broken. Anew, beside the old one.
        const code = error instanceof WrkstError ? error.code : undefined;
        if (signal.aborted || (code !== "ERR_GIT" && code !== "ERR_GIT_UNREACHABLE")) throw error;
        return rebuild(signal);
      }
    },
    async fetchAtOnce(signal) {
      // What was seen of the other branches is older than what is announced.
      heads = undefined;
      if (await mustRebuild()) return undefined;
      try {
        return await update(signal, Math.min(options.timeouts.list, options.timeouts.fetch));
      } catch (error) {
        await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
        signal.throwIfAborted();
        if (error instanceof WrkstError && UNCLEAR.has(error.code)) return undefined;
        throw error;
      }
    },
    async current() {
      if (suspect || !(await exists(join(options.dir, "HEAD")))) return undefined;
      const header = await open()
        .header(FOLLOWED)
        .catch(() => undefined);
      return header?.type === "commit" ? header.id : undefined;
    },
    async resolve(ref, signal) {
      if (!(await exists(join(options.dir, "HEAD")))) await rebuild(signal);
      const name = await findRemote(options, ref, signal);
      if (name === undefined) {
        return resolveHere(options.dir, ref, { environment: options.environment, signal });
      }
      await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
      await fetchInto(options.dir, options, signal, [`+${name}:${ASKED}`]);
      const header = await open().header(`${ASKED}^{commit}`);
      return header?.type === "commit" ? header.id : undefined;
    },
    objects: open,
    close() {
      objects?.close();
    },
  };
}

export function noBranch(branch: string, repo: string): WrkstError {
  return new WrkstError("ERR_GIT_NO_BRANCH", `branch "${branch}" does not exist in "${redact(repo)}"`, {
    hint: `push the branch: git push <remote> HEAD:${branch}`,
  });
}

/** Creates an empty bare repository, without the hooks and examples of git's templates. */
export async function createBare(dir: string, environment: BaseEnvironment | undefined): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  const args = ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", dir];
  await openGit(dirname(dir), environment)
    .raw(args)
    .catch((error: unknown) => {
      throw gitError("creating a mirror", error);
    });
}

/** What the remote calls it: a full reference, or the commit itself, which it may refuse to give. */
async function findRemote(options: MirrorOptions, ref: string, signal: AbortSignal): Promise<string | undefined> {
  await ensureSettings(options);
  const candidates = candidatesOf(ref);
  const args = ["ls-remote", "--refs", "--end-of-options", options.remote.url, ...candidates];
  const listed = await talk(options, args, {
    ...runOptions(options, "/dev/null", signal),
    timeout: options.timeouts.list,
  });
  const found = candidates.find((name) => listed.split("\n").some((line) => line.endsWith(`\t${name}`)));
  return found ?? (COMMIT.test(ref) ? ref : undefined);
}

async function fetchInto(
  dir: string,
  options: MirrorOptions,
  signal: AbortSignal,
  specs = [`+refs/heads/${options.branch}:${FOLLOWED}`],
): Promise<void> {
  await ensureSettings(options);
  const flags = [
    "--quiet",
    "--depth=1",
    "--update-shallow",
    "--no-tags",
    "--no-show-forced-updates",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
  ];
  const run = { ...runOptions(options, dir, signal), timeout: options.timeouts.fetch };
  await talk(options, ["fetch", ...flags, "--end-of-options", options.remote.url, ...specs], run);
}

/** The commit that a fetch has just brought in. */
async function followed(objects: Objects): Promise<string> {
  const header = await objects.header(FOLLOWED);
  if (header?.type !== "commit") throw new WrkstError("ERR_GIT", "expected the branch to name a commit");
  return header.id;
}

/** The one way to the remote. */
async function talk(options: MirrorOptions, args: string[], run: RunOptions): Promise<string> {
  await options.admit?.();
  return runGit(args, run);
}

function runOptions(options: MirrorOptions, gitDir: string, signal: AbortSignal): RunOptions {
  const local = options.remote.kind === "local" ? { GIT_CONFIG_GLOBAL: settingsFile(options) } : {};
  return {
    gitDir,
    what: `fetching "${redact(options.remote.url, options.access.secrets)}"`,
    environment: gitEnvironment(options.environment, { ...options.access.environment, ...local }),
    config: options.access.config,
    secrets: options.access.secrets,
    signal,
  };
}

function settingsFile({ dir }: MirrorOptions): string {
  return `${dir}.settings`;
}

/**
 * git refuses a repository of another user unless its path is named in the user's own settings, and arguments do not reach
 * the process that serves a local path: a settings file with nothing else in it does. The operator named the path.
 */
async function ensureSettings(options: MirrorOptions): Promise<void> {
  if (options.remote.kind !== "local") return;
  const real = await realpath(options.remote.url).catch(() => options.remote.url);
  const paths = [...new Set([options.remote.url, real])].flatMap((path) => [path, join(path, ".git")]);
  const lines = paths.map((path) => `\tdirectory = "${path.replace(/[\\"]/g, "\\$&")}"\n`);
  await mkdir(dirname(options.dir), { recursive: true });
  await writeFile(settingsFile(options), `[safe]\n${lines.join("")}`, { mode: 0o600 });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
