// Creates the embedded repository, whole or not at all, and keeps it in shape. Its contents are changed by pushes only.

import { appendFile, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { WrkstError } from "../errors.js";
import { type BaseEnvironment, createBare, gitEnvironment, gitError, openGit, runGit } from "./git.js";
import { removeStaleLocks } from "./locks.js";

export interface EmbeddedOptions {
  /** Folder of the bare repository, e.g. `<gitDir>/functions.git`. */
  dir: string;
  /** Folder whose files become the first commit of `main`, the first time only. */
  seed?: string;
  /** Folder of the agent's own hooks, outside the repository. */
  hooksDir: string;
  environment?: BaseEnvironment;
  /** Bytes of one push. */
  maxInputSize?: number;
  now?: () => number;
}

export const MAX_INPUT_SIZE = 2 * 1024 * 1024 * 1024;

/** Lives in the environment of the agent's own `git http-backend`; without it the hook does nothing. */
export const PUSH_MARKER = "WRKST_PUSH";

/** Hands the moved references to the agent (3) and prints what it answers (4) until it closes. */
const POST_RECEIVE = `#!/bin/sh
[ "\${${PUSH_MARKER}:-}" = 1 ] || exit 0
{ cat; echo end; } >&3
exec 3>&-
cat <&4
exit 0
`;

/**
 * Opens the embedded repository: creates and seeds it when there is none, and removes locks of a killed process. A creation
 * that was cut short is begun anew.
 *
 * @returns whether it was created now, and the commit that it was filled with, if it ever was.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<{ created: boolean; seed?: string }> {
  await writeHooks(options.hooksDir);
  if (await exists(join(options.dir, "HEAD"))) {
    await removeStaleLocks(options.dir, (options.now ?? Date.now)());
    return { created: false, ...(await readSeed(options.dir)) };
  }
  await create(options);
  return { created: true, ...(await readSeed(options.dir)) };
}

/** File of the repository that names the commit of the seed. No reference, so that no push can set it. */
const SEED = "wrkst-seed";

async function readSeed(dir: string): Promise<{ seed?: string }> {
  const seed = await readFile(join(dir, SEED), "utf8").catch(() => "");
  return seed === "" ? {} : { seed };
}

async function create(options: EmbeddedOptions): Promise<void> {
  const fresh = `${options.dir}.new`;
  await rm(fresh, { recursive: true, force: true });
  try {
    await createBare(fresh, options.environment);
    await configure(fresh, options);
    if (options.seed !== undefined && (await exists(options.seed))) await seed(fresh, options.seed, options);
  } catch (error) {
    throw gitError(`creating "${basename(options.dir)}"`, error);
  }
  // An empty folder in the way, as a mount leaves it, is replaced; anything else makes the rename fail.
  await rename(fresh, options.dir).catch((cause: unknown) => {
    throw new WrkstError("ERR_GIT", `"${options.dir}" is in the way of the embedded repository`, {
      hint: "move it away: it is no repository",
      cause,
    });
  });
  await syncFolder(dirname(options.dir));
}

/** Appended to the file that `git init` wrote a moment ago: one write instead of a process for each setting. */
async function configure(dir: string, options: EmbeddedOptions): Promise<void> {
  const lines = Object.entries(embeddedSettings(options.maxInputSize)).map(([key, value]) => {
    const [section, name] = key.split(".");
    return `[${section}]\n\t${name} = ${value}\n`;
  });
  await appendFile(join(dir, "config"), lines.join(""));
}

/** What the embedded repository says of itself; the handler says it again for its own processes. */
export function embeddedSettings(maxInputSize = MAX_INPUT_SIZE): Record<string, string> {
  return {
    "http.receivepack": "true",
    "http.uploadpack": "true",
    "receive.fsckObjects": "true",
    "receive.maxInputSize": String(maxInputSize),
    "receive.autogc": "false",
    "receive.denyDeleteCurrent": "ignore",
    "receive.shallowUpdate": "true",
    "uploadpack.allowFilter": "true",
    "core.logAllRefUpdates": "true",
    "gc.auto": "0",
  };
}

/** The files of a folder as one commit on `main`, written with an index of its own. Ignore files in it count. */
async function seed(dir: string, from: string, options: EmbeddedOptions): Promise<void> {
  const seconds = Math.floor((options.now ?? Date.now)() / 1000);
  const person = { NAME: "wrkst", EMAIL: "wrkst@localhost", DATE: `${seconds} +0000` };
  const git = openGit(from, options.environment, {
    GIT_DIR: dir,
    GIT_WORK_TREE: from,
    GIT_INDEX_FILE: join(dir, "seed-index"),
    ...Object.fromEntries(
      Object.entries(person).flatMap(([key, value]) => [
        [`GIT_AUTHOR_${key}`, value],
        [`GIT_COMMITTER_${key}`, value],
      ]),
    ),
  });
  await git.raw(["add", "--all", "--", ".", ":(exclude,glob)**/node_modules/**"]);
  const tree = (await git.raw(["write-tree"])).trim();
  const commit = (await git.raw(["commit-tree", "-m", "Examples to begin with", tree])).trim();
  await git.raw(["update-ref", "refs/heads/main", commit]);
  await writeFile(join(dir, SEED), commit);
  await rm(join(dir, "seed-index"), { force: true });
}

async function writeHooks(hooksDir: string): Promise<void> {
  await mkdir(hooksDir, { recursive: true, mode: 0o700 });
  const temporary = join(hooksDir, ".post-receive.new");
  await writeFile(temporary, POST_RECEIVE, { mode: 0o700 });
  await rename(temporary, join(hooksDir, "post-receive"));
}

/** Packs what pushes left in pieces; nothing younger than two weeks is dropped. To be called now and then. */
export async function packEmbedded(
  dir: string,
  options: { signal?: AbortSignal; environment?: BaseEnvironment } = {},
): Promise<void> {
  await runGit(["gc", "--quiet", "--prune=2.weeks.ago"], {
    gitDir: dir,
    what: "packing the embedded repository",
    environment: gitEnvironment(options.environment),
    signal: options.signal,
    timeout: 600_000,
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, "r");
  await folder.sync().catch(() => {});
  await folder.close();
}
