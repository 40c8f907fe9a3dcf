// Wakes the caller when the references of a repository on this machine may have moved. Says only "maybe": the reader of the references decides.

import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { watch as chokidarWatch, type FSWatcher } from "chokidar";

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

export interface RefsWatchOptions {
  /** Milliseconds between looks at whether the repository is still the same one. */
  lookInterval?: number;
}

/**
 * Watches HEAD, packed-refs and the branches. A repository that vanishes, returns, or is replaced by another is noticed by
 * the identity of its folders, looked at every second, since a watch dies with the folder it is on.
 */
export async function watchRefs(path: string, wake: () => void, options: RefsWatchOptions = {}): Promise<Watch> {
  let watcher: FSWatcher | undefined;
  let identity = "";
  let closed = false;
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const folder = await findRefsFolder(path);
    const now = await identityOf(folder);
    if (closed || now === identity) return;
    const first = identity === "";
    identity = now;
    await watcher?.close();
    watcher = folder === undefined ? undefined : await startWatcher(folder, wake);
    if (!first) wake();
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

async function identityOf(folder: string | undefined): Promise<string> {
  if (folder === undefined) return "none";
  const parts = [folder, join(folder, "refs"), join(folder, "refs", "heads"), join(folder, "reftable")];
  const found = await Promise.all(parts.map((part) => stat(part, { bigint: true }).catch(() => undefined)));
  return found.map((each) => (each ? `${each.dev}:${each.ino}:${each.birthtimeNs}` : "-")).join(" ");
}

const WATCHED_FILES = new Set(["HEAD", "packed-refs"]);

async function startWatcher(folder: string, wake: () => void): Promise<FSWatcher> {
  const heads = join(folder, "refs", "heads");
  const reftable = join(folder, "reftable");
  const inside = (path: string) => path.startsWith(heads) || path.startsWith(reftable);
  // The repository's folder itself is watched, not its files: git replaces files, and a watch stays with the old one.
  const watcher = chokidarWatch([folder, heads, reftable], {
    ignoreInitial: true,
    atomic: false,
    followSymlinks: false,
    ignored: (path) => {
      if (path === folder || inside(path)) return path.endsWith(".lock");
      return dirname(path) !== folder || !WATCHED_FILES.has(path.slice(folder.length + 1));
    },
  });
  watcher.on("all", () => wake());
  watcher.on("error", () => wake());
  await new Promise<void>((ready) => watcher.once("ready", () => ready()));
  return watcher;
}
