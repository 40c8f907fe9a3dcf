// A bare repository of the agent's own that holds what is followed of a remote, shallow. Can be thrown away at any time: it is rebuilt from the remote.

import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, WrkstError } from "../errors.js";
import { type Call, type Connection, fetchRemote, listRemote } from "./connection.js";
import { createBare } from "./git.js";
import { isInHistory } from "./history.js";
import { type Follow, type Listing, noCommit, parseListing, referenceOf, type Tip, tipOf } from "./listing.js";
import { removeStaleLocks } from "./locks.js";
import { type Objects, openObjects } from "./objects.js";
import { readListed } from "./pinned.js";
import { validateBranch } from "./remote.js";
import { COMMIT, candidatesOf, resolveHere } from "./resolve.js";

export interface MirrorOptions extends Connection {
  /** Folder of the mirror, `<name>.git`. */
  dir: string;
  follow: Follow;
  /** Every look asks for all branches, so that those of previews need no look of their own. */
  seesAll?: boolean;
}

export interface Mirror {
  /** What is followed, at the remote. @throws ERR_GIT_NO_BRANCH when the remote answers and has no such branch or tag. */
  list(call: Call): Promise<Tip>;
  /** Whether the last look showed that tag object, or a tag of that commit. */
  showed(id: string): boolean;
  /** All branches as the last look saw them: name → commit. */
  heads(signal: AbortSignal): Promise<Map<string, string>>;
  /** What the remote has of these full names, of tags also what they are of (`^{}` behind the name): name → id. */
  listed(names: string[], signal: AbortSignal): Promise<Map<string, string>>;
  /** Brings in further branches as they are now. */
  fetchBranches(branches: string[], signal: AbortSignal): Promise<void>;
  /** Brings in what the reference of the tip leads to now; the mirror is rebuilt when it is broken. */
  fetch(tip: Tip, call: Call): Promise<Tip>;
  /**
   * As `fetch`, without a look before: undefined where it did not go well and a look must say why. For a branch of which a
   * commit was announced a moment ago, so it waits no longer than a look would.
   */
  fetchAtOnce(call: Call): Promise<Tip | undefined>;
  /** What was brought in last, undefined when there is nothing or the mirror is not to be trusted. */
  current(): Promise<Here | undefined>;
  /** Whether a branch or a tag of the remote leads to the commit now. Must not run beside another one. */
  contains(commit: string, signal: AbortSignal): Promise<boolean>;
  /** The commit that the remote, or the mirror, knows by the name, brought in. Must not run beside a fetch. */
  resolve(ref: string, signal: AbortSignal): Promise<string | undefined>;
  objects(): Objects;
  close(): void;
}

/** What a reference of the mirror names, a commit or a tag, and the commit that it leads to. */
interface Here {
  id: string;
  commit: string;
}

const FOLLOWED = "refs/wrkst/followed";
/** What somebody asked for last. */
const ASKED = "refs/wrkst/asked";
/** What a fetch without a look does not tell from a mirror that is broken. */
const UNCLEAR = new Set<ErrorCode>(["ERR_GIT", "ERR_GIT_UNREACHABLE", "ERR_GIT_NO_BRANCH"]);
/** After so many fetches that brought something, the mirror is made anew: a shallow mirror is cheaper to refetch than to collect. */
const FETCHES_OF_A_LIFE = 2_000;
/** Milliseconds without a question after which nobody waits to read objects. */
const IDLE = 5_000;

export function openMirror(options: MirrorOptions): Mirror {
  const { follow } = options;
  let suspect = false;
  let fetches = 0;
  let objects: Objects | undefined;
  let here: Here | undefined;
  let last: Listing | undefined;
  let heads: Map<string, string> | undefined;

  async function look(call: Call, kinds: { heads: boolean; tags: boolean }): Promise<Listing> {
    const branch = "branch" in follow && !options.seesAll ? follow.branch : "*";
    // By the options the server is asked for branches or tags alone, by the pattern git leaves out all others.
    const flags = [...(kinds.heads ? ["--heads"] : []), ...(kinds.tags ? ["--tags"] : ["--refs"])];
    const names = [...(kinds.heads ? [`refs/heads/${branch}`] : []), ...(kinds.tags ? ["refs/tags/*"] : [])];
    return parseListing(await listRemote(options, names, call, flags));
  }

  const open = () => {
    objects ??= openObjects({
      gitDir: options.dir,
      environment: options.environment,
      idle: IDLE,
      onBroken: () => {
        suspect = true;
      },
    });
    return objects;
  };

  async function rebuild(reference: string, call: Call): Promise<void> {
    const fresh = `${options.dir}.new`;
    await rm(fresh, { recursive: true, force: true });
    try {
      await createBare(fresh, options.environment);
      await fetchInto(fresh, options, call, [`+${reference}:${FOLLOWED}`]);
    } catch (error) {
      // Half a mirror may be what fills the disk.
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
    objects?.close();
    objects = undefined;
    await rm(options.dir, { recursive: true, force: true });
    await rename(fresh, options.dir);
    here = undefined;
    suspect = false;
    fetches = 0;
  }

  const mustRebuild = async () => suspect || fetches >= FETCHES_OF_A_LIFE || !(await exists(join(options.dir, "HEAD")));

  async function update(reference: string, call: Call, timeout = options.timeouts.fetch): Promise<void> {
    // Only this process writes here, and its fetches wait for each other: every lock is of somebody dead.
    await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
    fetches += 1;
    const timeouts = { ...options.timeouts, fetch: timeout };
    await fetchInto(options.dir, { ...options, timeouts }, call, [`+${reference}:${FOLLOWED}`]);
  }

  /** What a fetch has just brought in, under the name by which it was asked for. */
  async function fetched({ tag }: Pick<Tip, "tag">): Promise<Tip> {
    here = await readHere(open());
    if (tag && !here) throw noCommit(tag.name);
    if (!here || (!tag && here.id !== here.commit)) {
      throw new WrkstError("ERR_GIT", "expected the branch to name a commit");
    }
    return { commit: here.commit, ...(tag ? { tag: { name: tag.name, id: here.id } } : {}) };
  }

  async function list(call: Call): Promise<Tip> {
    last = await look(call, { heads: "branch" in follow || (options.seesAll ?? false), tags: "tags" in follow });
    if (options.seesAll) heads = last.heads;
    return tipOf(last, follow, options.remote.url);
  }

  return {
    list,
    showed: (id) => [...(last?.tags.values() ?? [])].some((tag) => tag.id === id || tag.commit === id),
    async heads(signal) {
      heads ??= (await look({ signal, rank: "preview" }, { heads: true, tags: false })).heads;
      return heads;
    },
    listed: async (names, signal) => readListed(await listRemote(options, names, { signal, rank: "followed" })),
    async fetchBranches(branches, signal) {
      const specs = branches.map((branch) => `+refs/heads/${validateBranch(branch)}:refs/wrkst/branches/${branch}`);
      await fetchInto(options.dir, options, { signal, rank: "preview" }, specs);
    },
    async fetch(tip, call) {
      const reference = referenceOf(follow, tip);
      try {
        if (await mustRebuild()) await rebuild(reference, call);
        else await update(reference, call);
        return await fetched(tip);
      } catch (error) {
        // What came in half stays where it is unless somebody takes it away, and may be what fills the disk.
        await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
        // The remote was listed a moment ago, so the mirror itself may be what is broken. Anew, beside the old one.
        const code = error instanceof WrkstError ? error.code : undefined;
        if (call.signal.aborted || (code !== "ERR_GIT" && code !== "ERR_GIT_UNREACHABLE")) throw error;
        await rebuild(reference, call);
        return fetched(tip);
      }
    },
    async fetchAtOnce(call) {
      // What was seen of the other branches is older than what is announced.
      heads = undefined;
      if ("tags" in follow || (await mustRebuild())) return undefined;
      try {
        const timeout = Math.min(options.timeouts.list, options.timeouts.fetch);
        await update(`refs/heads/${follow.branch}`, call, timeout);
        return await fetched({});
      } catch (error) {
        await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
        call.signal.throwIfAborted();
        if (error instanceof WrkstError && UNCLEAR.has(error.code)) return undefined;
        throw error;
      }
    },
    async current() {
      if (suspect || !(await exists(join(options.dir, "HEAD")))) return undefined;
      here ??= await readHere(open()).catch(() => undefined);
      return here;
    },
    async resolve(ref, signal) {
      const call: Call = { signal, rank: "asked" };
      if (!(await exists(join(options.dir, "HEAD")))) await rebuild(referenceOf(follow, await list(call)), call);
      const name = await findRemote(options, ref, call);
      if (name === undefined) {
        return resolveHere(options.dir, ref, { environment: options.environment, signal });
      }
      await removeStaleLocks(options.dir, Number.POSITIVE_INFINITY);
      await fetchInto(options.dir, options, call, [`+${name}:${ASKED}`]);
      const header = await open().header(`${ASKED}^{commit}`);
      return header?.type === "commit" ? header.id : undefined;
    },
    async contains(commit, signal) {
      const call: Call = { signal, rank: "asked" };
      const tips = readListed(await listRemote(options, ["refs/heads/*", "refs/tags/*"], call));
      return [...tips.values()].includes(commit) || isInHistory(`${options.dir}.history`, options, commit, call);
    },
    objects: open,
    close() {
      objects?.close();
    },
  };
}

/** Undefined where nothing was brought in yet, or what was leads to no commit. */
async function readHere(objects: Objects): Promise<Here | undefined> {
  const named = await objects.header(FOLLOWED);
  if (!named) return undefined;
  const commit = named.type === "commit" ? named : await objects.header(`${named.id}^{commit}`);
  return commit?.type === "commit" ? { id: named.id, commit: commit.id } : undefined;
}

/** What the remote calls it: a full reference, or the commit itself, which it may refuse to give. */
async function findRemote(options: MirrorOptions, ref: string, call: Call): Promise<string | undefined> {
  const candidates = candidatesOf(ref);
  const listed = await listRemote(options, candidates, call, ["--refs"]);
  const found = candidates.find((name) => listed.split("\n").some((line) => line.endsWith(`\t${name}`)));
  return found ?? (COMMIT.test(ref) ? ref : undefined);
}

function fetchInto(gitDir: string, options: MirrorOptions, call: Call, specs: string[]): Promise<void> {
  const flags = ["--depth=1", "--no-tags", "--no-show-forced-updates"];
  return fetchRemote(options, { gitDir, flags, specs }, call);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
