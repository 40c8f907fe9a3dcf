// Clean installs of dependencies (GITOPS rule 4): from a lockfile, in a cache outside the checkout, with nothing of the
// repository executed. An install that is in the cache is complete, and is made once.

import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, realpath, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { WrkstError } from "../errors.js";
import { ancestors, isInside, repositoryPath } from "./confine.js";
import { linkPackages, removePackages } from "./link-packages.js";
import { checkNpmLock, localFolder, refusal, runtimeDependencies, tameManifest } from "./lockfile.js";
import { type RegistrySettings, readRegistrySettings, runInstall, type ToolOptions } from "./package-tool.js";
import { checkPnpmLock, pnpmWorkspace } from "./pnpm-lock.js";

export interface InstallerOptions extends ToolOptions {
  /** Installs and what the tools fetched; may be shared by installers of one process. */
  cacheDir: string;
  /** The checkout. */
  root: string;
  /** Told once per install that really runs. */
  log?: (message: string) => void;
}

export interface Installer {
  /**
   * Makes `node_modules` resolvable for the function in `folder` (relative to the checkout). Calls `onStart` when
   * something must really be installed. Answers the files it depends on, relative to the checkout.
   * Throws ERR_INSTALL, ERR_INSTALL_UNREACHABLE or the signal's reason.
   */
  install(folder: string, signal?: AbortSignal, onStart?: () => void): Promise<{ installed: boolean; files: string[] }>;
  /** Removes installs that were not used for this many milliseconds (default: 30 days), and what was left half made. */
  prune(unusedFor?: number): Promise<void>;
}

const LOCKFILES = ["npm-shrinkwrap.json", "package-lock.json", "pnpm-lock.yaml"];
const UNSUPPORTED = ["yarn.lock", "bun.lock", "bun.lockb"];
/** Part of the name of an install: raised when the same lockfile would be installed differently. */
const LAYOUT = 1;

export function openInstaller(options: InstallerOptions): Installer {
  const running = new Map<string, Shared>();
  let settings: Promise<RegistrySettings> | undefined;
  let lane: Promise<unknown> = Promise.resolve();

  async function registrySettings(): Promise<RegistrySettings> {
    await mkdir(options.cacheDir, { recursive: true });
    settings ??= readRegistrySettings(options, options.cacheDir);
    // A machine without npm may get one.
    settings.catch(() => {
      settings = undefined;
    });
    return settings;
  }

  /** One install per name at a time, shared by all who ask; it ends early when all of them gave up. */
  function installOnce(plan: Plan, signal: AbortSignal | undefined, onStart: (() => void) | undefined): Promise<void> {
    const shared = running.get(plan.id) ?? start(plan, onStart);
    return shared.join(signal);
  }

  function start(plan: Plan, onStart: (() => void) | undefined): Shared {
    const shared = shareInstall(async (signal) => {
      if (await isThere(join(options.cacheDir, plan.id))) return;
      onStart?.();
      options.log?.(`installing the dependencies of "${plan.lockFolder || "."}"`);
      await makeInstall(plan, { ...options, settings: await registrySettings(), signal });
    });
    const forget = () => {
      if (running.get(plan.id) === shared) running.delete(plan.id);
    };
    running.set(plan.id, shared);
    shared.abandoned.addEventListener("abort", forget, { once: true });
    void shared.done.finally(forget).catch(() => {});
    return shared;
  }

  /** Links of one checkout are made one after the other. */
  function inOrder<T>(work: () => Promise<T>): Promise<T> {
    const next = lane.then(work);
    lane = next.catch(() => {});
    return next;
  }

  return {
    async install(folder, signal, onStart) {
      signal?.throwIfAborted();
      const root = await realpath(options.root);
      const found = await findLockfile(root, folder);
      const files = found.files.map((path) => repositoryPath(path, root));
      if (found.lockfile === undefined) {
        await inOrder(() => removeOld(root, found.folders, options.cacheDir));
        return { installed: false, files };
      }
      const plan = await makePlan(root, found.lockfile, await registrySettings());
      await installOnce(plan, signal, onStart);
      const cached = join(await realpath(options.cacheDir), plan.id);
      await utimes(cached, new Date(), new Date());
      const checkout = plan.nested ? root : join(root, plan.lockFolder);
      await inOrder(async () => {
        for (const { place } of plan.packages) await linkPackages({ top: cached, checkout, id: plan.id }, place);
      });
      return { installed: true, files: [...new Set([...files, ...plan.packages.map(({ file }) => file)])].sort() };
    },
    prune: (unusedFor = 30 * 24 * 3600_000) => prune(options.cacheDir, unusedFor, running),
  };
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

interface Found {
  /** Absolute; undefined when nothing is to be installed. */
  lockfile?: string;
  /** package.json files and the lockfile that decided, absolute. */
  files: string[];
  /** Folders that were looked at, absolute. */
  folders: string[];
}

/** The nearest lockfile at or above the folder, if any package.json on the way to it has dependencies. */
async function findLockfile(root: string, folder: string): Promise<Found> {
  const start = join(root, folder);
  const folders = ancestors(start, root);
  const files: string[] = [];
  const needing: string[] = [];
  for (const at of folders) {
    const manifest = join(at, "package.json");
    const text = await readFile(manifest, "utf8").catch(() => undefined);
    if (text !== undefined) {
      files.push(manifest);
      if (runtimeDependencies(text, { file: repositoryPath(manifest, root) }).length > 0) needing.push(manifest);
    }
    const names = new Set(await readdir(at).catch(() => []));
    const lockfile = LOCKFILES.find((name) => names.has(name));
    const other = UNSUPPORTED.find((name) => names.has(name));
    if (lockfile !== undefined) {
      return {
        files: [...files, join(at, lockfile)],
        folders,
        ...(needing.length > 0 ? { lockfile: join(at, lockfile) } : {}),
      };
    }
    if (other !== undefined && needing.length > 0) throw unsupported(repositoryPath(join(at, other), root));
  }
  const own = needing.find((manifest) => dirname(manifest) === start);
  if (own !== undefined) throw withoutLockfile(repositoryPath(own, root));
  return { files, folders };
}

function unsupported(file: string): WrkstError {
  return refusal(
    `"${file}" is not supported: expected package-lock.json or pnpm-lock.yaml`,
    { file },
    'run "npm install" and commit package-lock.json',
  );
}

function withoutLockfile(file: string): WrkstError {
  const place = dirname(file);
  return refusal(
    `"${file}" has dependencies and there is no lockfile`,
    { file },
    `run "npm install" in "${place}" and commit package-lock.json`,
  );
}

interface LocalPackage {
  /** Folder relative to the top of the install. */
  place: string;
  /** package.json relative to the repository. */
  file: string;
  manifest: string;
}

interface Plan {
  /** Name of the install in the cache. */
  id: string;
  tool: "npm" | "pnpm";
  lockFolder: string;
  lockName: string;
  lockText: string;
  /** Whether the install repeats the repository's folders from its root, since links lead above the lockfile's folder. */
  nested: boolean;
  packages: LocalPackage[];
  /** Further files that the tool must see, by name beside the lockfile. */
  extra: Record<string, string>;
}

async function makePlan(root: string, lockfile: string, settings: RegistrySettings): Promise<Plan> {
  const file = repositoryPath(lockfile, root);
  const lockFolder = dirname(file) === "." ? "" : dirname(file);
  const lockText = await readFile(lockfile, "utf8");
  const tool = file.endsWith(".yaml") ? "pnpm" : "npm";
  const check = tool === "pnpm" ? checkPnpmLock : checkNpmLock;
  const folders = [...new Set(["", ...check(lockText, { file, hosts: settings.hosts })])];
  const nested = folders.some((folder) => folder.startsWith(".."));
  const packages = await Promise.all(
    folders.map((folder) => readLocal({ root, lockFolder, folder, nested, lockfile: file, hosts: settings.hosts })),
  );
  const workspace = await readFile(join(root, lockFolder, "pnpm-workspace.yaml"), "utf8").catch(() => undefined);
  const extra =
    tool === "pnpm"
      ? { "pnpm-workspace.yaml": pnpmWorkspace(workspace, folders, `${lockFolder}/pnpm-workspace.yaml`) }
      : {};
  const identity = [
    LAYOUT,
    tool,
    nested ? lockFolder : "",
    lockText,
    packages.map(({ place, manifest }) => [place, manifest]),
    extra,
    settings.registry,
    process.platform,
    process.arch,
  ];
  const id = createHash("sha256").update(JSON.stringify(identity)).digest("hex");
  return { id, tool, lockFolder, lockName: file.split("/").pop() ?? "", lockText, nested, packages, extra };
}

interface LocalQuery {
  root: string;
  lockFolder: string;
  folder: string;
  nested: boolean;
  lockfile: string;
  hosts: Set<string>;
}

async function readLocal({ root, lockFolder, folder, nested, lockfile, hosts }: LocalQuery): Promise<LocalPackage> {
  const path = localFolder(lockFolder, folder);
  if (path === undefined)
    throw refusal(
      `"${folder}" lies outside the repository`,
      { file: lockfile },
      "keep workspaces inside the repository",
    );
  const file = path === "" ? "package.json" : `${path}/package.json`;
  const text = await readFile(join(root, file), "utf8").catch(() => undefined);
  if (text === undefined)
    throw refusal(
      `the lockfile names "${file}", which does not exist`,
      { file: lockfile },
      "run the install again and commit the lockfile",
    );
  const manifest = JSON.stringify(tameManifest(text, { file, hosts }));
  return { place: nested ? path : folder, file, manifest };
}

interface InstallDeps extends InstallerOptions {
  settings: RegistrySettings;
  signal: AbortSignal;
}

/** In a temporary folder of the cache, then renamed: what has its final name is complete. */
async function makeInstall(plan: Plan, deps: InstallDeps): Promise<void> {
  const { cacheDir, settings, signal } = deps;
  const temporary = join(cacheDir, `new-${randomUUID()}`);
  const folder = plan.nested ? join(temporary, plan.lockFolder) : temporary;
  try {
    for (const { place, manifest } of plan.packages) {
      await mkdir(join(temporary, place), { recursive: true });
      await writeFile(join(temporary, place, "package.json"), manifest);
    }
    await writeFile(join(folder, plan.lockName), plan.lockText);
    for (const [name, text] of Object.entries(plan.extra)) await writeFile(join(folder, name), text);
    await writeFile(join(folder, ".npmrc"), "ignore-scripts=true\naudit=false\nfund=false\n");
    await runInstall({ tool: plan.tool, folder, cacheDir, settings, signal }, deps);
    await rename(temporary, join(cacheDir, plan.id));
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function removeOld(root: string, folders: string[], cacheDir: string): Promise<void> {
  const cache = await realpath(cacheDir).catch(() => cacheDir);
  const [own] = folders;
  if (own !== undefined && isInside(own, root)) await removePackages(own, cache);
}

const INSTALL_NAME = /^(?:[0-9a-f]{64}|new-[0-9a-f-]{36})$/;

async function prune(cacheDir: string, unusedFor: number, running: Map<string, Shared>): Promise<void> {
  if (running.size > 0) return;
  for (const name of await readdir(cacheDir).catch(() => [])) {
    const path = join(cacheDir, name);
    const status = INSTALL_NAME.test(name) ? await stat(path).catch(() => undefined) : undefined;
    if (status === undefined) continue;
    const isOld = status.mtimeMs < Date.now() - unusedFor;
    if (isOld || name.startsWith("new-")) await rm(path, { recursive: true, force: true });
  }
}

/** Work that several wait for, each with a signal of its own. */
interface Shared {
  done: Promise<void>;
  /** Aborts when all who waited gave up: nobody may join any more. */
  abandoned: AbortSignal;
  join(signal: AbortSignal | undefined): Promise<void>;
}

function shareInstall(work: (signal: AbortSignal) => Promise<void>): Shared {
  const controller = new AbortController();
  const done = work(controller.signal);
  let waiting = 0;
  return {
    done,
    abandoned: controller.signal,
    join: (signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) throw signal.reason;
        waiting++;
        const leave = () => {
          reject(signal?.reason);
          if (--waiting === 0) controller.abort(signal?.reason);
        };
        signal?.addEventListener("abort", leave, { once: true });
        const settled = () => signal?.removeEventListener("abort", leave);
        done.then(resolve, reject).finally(settled);
      }),
  };
}
