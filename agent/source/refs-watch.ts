// Wakes the caller when the references of a repository on this machine may have moved. Says only "maybe": the reader of the references decides.

import type { BigIntStats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { watch as chokidarWatch, type FSWatcher } from "chokidar";
import type { Follow } from "./listing.js";

export interface Watch {
  close(): Promise<void>;
}

/** The folder with the references of a repository: bare, with a working copy, or a linked worktree. Undefined when there is none. */
export async function findRefsFolder(path: string): Promise<string | undefined> {
  const dotGit = join(path, ".git");
  const found = await stat(dotGit).catch(() => undefined);
  if (found?.isDirectory()) return dotGit;
  const gitDir = found?.isFile() ? await pointedTo(dotGit, /^gitdir: (.+)/) : path;
  if (!gitDir || !(await stat(join(gitDir, "HEAD")).catch(() => undefined))) return undefined;
  return (await pointedTo(join(gitDir, "commondir"), /^(.+)/)) ?? gitDir;
}

async function pointedTo(file: string, pattern: RegExp): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  const target = pattern.exec(text)?.[1]?.trim();
  return target ? resolve(dirname(file), target) : undefined;
}

export type RefsWatchOptions = Follow & {
  /** Milliseconds between looks at the state of the references, for what the watch missed. */
  lookInterval?: number;
};

/**
 * Watches HEAD, packed-refs, the branches and the tags. Watches die with the folder they are on and may miss one of two quick changes,
 * so a look every second at a few file stamps notices a repository that vanished, returned, or was replaced, and whatever
 * else was missed.
 */
export async function watchRefs(path: string, wake: () => void, options: RefsWatchOptions): Promise<Watch> {
  let watcher: FSWatcher | undefined;
  let seen: Look = { identity: "", state: "" };
  let closed = false;
  let looking: Promise<void> = Promise.resolve();

  // A folder that went away took its watches with it, even if the very same one is back at the next look.
  const lost = () => {
    seen = { identity: "lost", state: "" };
  };

  async function look(): Promise<void> {
    const folder = await findRefsFolder(path);
    const now = await lookAt(folder, options);
    const before = seen;
    if (closed || (now.identity === before.identity && now.state === before.state)) return;
    seen = now;
    // Told before the watch is renewed, which may take long on a busy machine, or never end when the folder goes again.
    if (before.identity !== "") wake();
    if (now.identity === before.identity) return;
    await watcher?.close();
    watcher = folder === undefined ? undefined : await startWatcher(folder, wake, lost);
    // What moved in between is in nobody's notice yet: the next look compares with what was seen before.
  }

  const turn = () => {
    looking = looking.then(look).catch(() => {});
    return looking;
  };
  await turn();
  const timer = setInterval(turn, options.lookInterval ?? 1_000);
  timer.unref();
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await looking;
      await watcher?.close();
    },
  };
}

interface Look {
  /** Which folders these are. */
  identity: string;
  /** Stamps of what changes when what is followed moves. */
  state: string;
}

async function lookAt(folder: string | undefined, follow: Follow): Promise<Look> {
  if (folder === undefined) return { identity: "none", state: "" };
  const stamps = async (names: string[], stamp: (found: BigIntStats) => string) => {
    const found = await Promise.all(
      names.map((name) => stat(join(folder, name), { bigint: true }).catch(() => undefined)),
    );
    return found.map((each) => (each ? stamp(each) : "-")).join(" ");
  };
  const branch = "branch" in follow ? [`refs/heads/${follow.branch}`] : [];
  return {
    identity: await stamps([".", "refs", "refs/heads", "reftable"], ({ dev, ino }) => `${dev}:${ino}`),
    state: await stamps(
      // A folder's own stamp tells of the names right in it, whatever they are.
      [...branch, "refs/tags", "packed-refs", "reftable/tables.list"],
      ({ ino, mtimeNs }) => `${ino}:${mtimeNs}`,
    ),
  };
}

const READY_LIMIT = 5_000;
const WATCHED_FILES = new Set(["HEAD", "packed-refs"]);

async function startWatcher(folder: string, wake: () => void, lost: () => void): Promise<FSWatcher> {
  const heads = join(folder, "refs", "heads");
  const tags = join(folder, "refs", "tags");
  const reftable = join(folder, "reftable");
  const inside = (path: string) => [heads, tags, reftable].some((watched) => path.startsWith(watched));
  // The repository's folder itself is watched, not its files: git replaces files, and a watch stays with the old one.
  const watcher = chokidarWatch([folder, heads, tags, reftable], {
    ignoreInitial: true,
    atomic: false,
    followSymlinks: false,
    ignored: (path) => {
      if (path === folder || inside(path)) return path.endsWith(".lock");
      return dirname(path) !== folder || !WATCHED_FILES.has(path.slice(folder.length + 1));
    },
  });
  watcher.on("all", (event, path) => {
    if (event === "unlinkDir" && (path === folder || path === heads)) lost();
    wake();
  });
  // What the system said before chokidar reads the folder, which it does once a second at most.
  watcher.on("raw", (_event, name, details) => {
    const watched = (details as { watchedPath?: string } | undefined)?.watchedPath ?? folder;
    if (typeof name !== "string" || name.endsWith(".lock")) return;
    if (inside(watched) || WATCHED_FILES.has(name)) wake();
  });
  watcher.on("error", () => {
    lost();
    wake();
  });
  const isReady = new Promise<boolean>((ready) => watcher.once("ready", () => ready(true)));
  const isLate = sleep(READY_LIMIT, false, { ref: false });
  // A folder that goes while it is read for the first time may never be ready: then the next look begins anew.
  if (!(await Promise.race([isReady, isLate]))) lost();
  return watcher;
}
