// The sources that the agent follows. Level-triggered: watching only wakes, what `fetch` reads decides. Never changes a followed repository.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WrkstError } from "../errors.js";
import type { Snapshot } from "../model.js";
import { type BaseEnvironment, gitEnvironment, gitError, openGit, runGit } from "./git.js";
import type { AdmitRemote } from "./hosts.js";
import { type Follow, noBranch, noCommit, noTag, type Tip } from "./listing.js";
import { type Mirror, openMirror } from "./mirror.js";
import { type Objects, openObjects } from "./objects.js";
import { namesOfPinned, type Pinned, readListed, readPinned, tagOf } from "./pinned.js";
import { findRefsFolder, type Watch, watchRefs } from "./refs-watch.js";
import { accessTo, type Credentials, parseRemote, type Remote, validateBranch, validateRootPath } from "./remote.js";
import { noRevision, resolveHere } from "./resolve.js";
import type { GitSlots, Rank } from "./slots.js";
import { openSnapshotReader, type SnapshotLimits } from "./snapshot.js";
import { newestTag, validateRange } from "./tags.js";

export interface Source {
  readonly name: string;
  /** URL or path without credentials; "embedded" for the embedded repository. */
  readonly repo: string;
  /** The followed branch; of a source of tags the tag that was brought in last, or the range as long as there is none. */
  readonly branch: string;
  readonly path: string;
  /** Whether that reference, in full, leads to what is followed, or may. */
  follows(ref: string): boolean;
  /**
   * Brings in the newest state and answers the commit of the followed branch, or of the newest tag. Calls wait for each other.
   *
   * @param options.goal an announced commit that the remote may not show yet: asked again a few times, with backoff.
   * @param options.rank why it is asked; default: by the clock.
   * @throws ERR_GIT_UNREACHABLE, ERR_GIT_AUTH, ERR_GIT_NO_BRANCH, ERR_GIT_REFUSED, ERR_TREE_REFUSED, ERR_GIT; the signal's reason.
   */
  fetch(options: { signal: AbortSignal; goal?: string | undefined; rank?: Rank }): Promise<Tip>;
  /** Asks what `fetch` would bring in, and brings in nothing. @throws as `fetch` */
  look(signal: AbortSignal): Promise<Tip>;
  /** All branches of the repository: name → commit. @throws as `fetch` */
  branches(signal: AbortSignal): Promise<Map<string, string>>;
  /**
   * The commit of a branch, a tag or a commit (40 digits, or fewer where it is here already), brought in so that `snapshot` can read it.
   *
   * @throws ERR_NOT_FOUND, and as `fetch`
   */
  resolve(ref: string, signal: AbortSignal): Promise<string>;
  /**
   * Whether a branch or a tag leads to the commit now: a forge may also hand out what strangers have sent, such as pull requests.
   * Of the embedded repository always, since nobody sends to it who may not deploy.
   *
   * @throws as `fetch`
   */
  contains(commit: string, signal: AbortSignal): Promise<boolean>;
  /** What tags and commits lead to as they are now; brings in nothing. @throws as `fetch` */
  pinned(refs: string[], signal: AbortSignal): Promise<Map<string, Pinned>>;
  /** Makes the commit readable that the tag leads to, or that is named by its digits. @throws as `resolve` */
  bringInPinned(ref: string, pinned: Pinned, signal: AbortSignal): Promise<string>;
  /** Makes these commits of branches readable: name → commit. @throws as `fetch` */
  bringIn(branches: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void>;
  /** `branch`: the one it is of, default the followed one. @throws ERR_GIT when the commit or its tree is not here. */
  snapshot(commit: string, branch?: string): Promise<Snapshot>;
  /** The bytes of a commit or tag object that is here. @throws ERR_GIT when it is not. */
  bytes(id: string, type: "commit" | "tag"): Promise<Uint8Array>;
  /** When it is looked at again by itself, milliseconds since 1970; undefined where nothing but a wake-up does it. */
  readonly looksAt: number | undefined;
  /** Calls `wake` whenever the source may have moved. */
  watch(wake: () => void): Promise<Watch>;
  close(): Promise<void>;
}

export interface SourceOptions {
  name: string;
  /** URL or path of the repository; `{ embedded }`: folder of the embedded bare repository, read directly. */
  repo: string | { embedded: string };
  follow: Follow;
  /** The tag that was followed last, where tags are. */
  lastTag?: string | undefined;
  path: string;
  /** Folder of the mirrors. */
  gitDir: string;
  /** Whether `repo` may be a path of this machine: only for what the operator configured. */
  local?: boolean;
  /** Whether other branches than the followed one are asked for as well. */
  seesAll?: boolean;
  /** Asked before each connection to a remote; it rejects where none may be made. */
  admit?: AdmitRemote | undefined;
  /** Shared by all sources. */
  slots?: GitSlots;
  /** Milliseconds between polls of a remote; 0: never. */
  pollInterval: number;
  credentials?: Credentials;
  environment?: BaseEnvironment;
  limits?: SnapshotLimits;
  timeouts?: { list: number; fetch: number };
  /** Milliseconds before each further look for an announced commit. */
  goalDelays?: readonly number[];
  random?: () => number;
}

const TIMEOUTS = { list: 30_000, fetch: 600_000 };
const GOAL_DELAYS = [200, 500, 1_000, 2_000, 4_000];
const COMMIT = /^[0-9a-f]{40}$/;

/** What differs between the kinds of source. */
interface Origin {
  repo: string;
  /** Where references lie on this machine, if they do. */
  local?: string;
  /** Without asking first what there is, where a commit was announced that is not here. */
  fetch(call: { signal: AbortSignal; rank: Rank }, announced?: string): Promise<Tip>;
  /** Whether the last look showed an announced commit, or tag, though it is not what is followed. */
  showed(id: string): boolean;
  branches(signal: AbortSignal): Promise<Map<string, string>>;
  resolve(ref: string, signal: AbortSignal): Promise<string | undefined>;
  contains(commit: string, signal: AbortSignal): Promise<boolean>;
  listed(names: string[], signal: AbortSignal): Promise<Map<string, string>>;
  look(signal: AbortSignal): Promise<Tip>;
  bringIn(branches: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void>;
  objects(): Objects;
  close(): void;
}

/** @throws ERR_GIT_REFUSED when address, branch or path are not well formed, or credentials are missing. */
export async function openSource(options: SourceOptions): Promise<Source> {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(options.name))
    throw new TypeError("the name of a source is a DNS label");
  const follow = validateFollow(options.follow);
  const path = validateRootPath(options.path);
  const origin =
    typeof options.repo === "string"
      ? remoteOrigin(options, options.repo, follow)
      : embeddedOrigin(options, options.repo.embedded, follow);
  const labelOf = (tag: string | undefined) =>
    "branch" in follow ? follow.branch : (newestTag(tag === undefined ? [] : [tag], follow.tags) ?? follow.tags);
  let label = labelOf(options.lastTag);
  let reader: { objects: Objects; snapshots: ReturnType<typeof openSnapshotReader> } | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let polling: Poll | undefined;
  let known: string | undefined;

  async function fetchUntil({ signal, goal, rank = "followed" }: Parameters<Source["fetch"]>[0]): Promise<Tip> {
    const before = known;
    signal.throwIfAborted();
    let tip = await origin.fetch({ signal, rank }, goal);
    for (const delay of goal === undefined ? [] : (options.goalDelays ?? GOAL_DELAYS)) {
      // Any movement will do: the branch may have gone past the goal already.
      if (tip.commit === goal || (before !== undefined && tip.commit !== before) || origin.showed(goal!)) break;
      await sleep(delay, undefined, { signal }).catch(() => signal.throwIfAborted());
      tip = await origin.fetch({ signal, rank });
    }
    known = tip.commit;
    label = labelOf(tip.tag?.name);
    return tip;
  }

  function resolve(ref: string, signal: AbortSignal): Promise<string> {
    const turn = last.then(async () => {
      const commit = await origin.resolve(ref, signal);
      if (commit === undefined) throw noRevision(ref, origin.repo);
      return commit;
    });
    last = turn.catch(() => {});
    return turn;
  }

  return {
    name: options.name,
    repo: origin.repo,
    path,
    get branch() {
      return label;
    },
    follows: (ref) => ("branch" in follow ? ref === `refs/heads/${follow.branch}` : ref.startsWith("refs/tags/")),
    fetch(asked) {
      const turn = last.then(() => fetchUntil(asked));
      last = turn.catch(() => {});
      return turn;
    },
    look: origin.look,
    branches: (signal) => origin.branches(signal),
    resolve,
    contains(commit, signal) {
      const turn = last.then(() => origin.contains(commit, signal));
      last = turn.catch(() => {});
      return turn;
    },
    async pinned(refs, signal) {
      const names = namesOfPinned(refs);
      return readPinned(refs, names.length ? await origin.listed(names, signal) : new Map());
    },
    async bringInPinned(ref, pinned, signal) {
      if (!("commit" in pinned)) return resolve(ref, signal);
      const ids = [pinned.commit, ...(pinned.kind === "tag" ? [pinned.tag.id] : [])];
      const there = await Promise.all(ids.map((id) => origin.objects().header(id)));
      if (there.every((header) => header) && there[0]?.type === "commit") return pinned.commit;
      return resolve(pinned.kind === "tag" ? tagOf(ref) : pinned.commit, signal);
    },
    bringIn(branches, signal) {
      const turn = last.then(() => origin.bringIn(branches, signal));
      last = turn.catch(() => {});
      return turn;
    },
    async snapshot(commit, of = label) {
      if (!COMMIT.test(commit)) throw new WrkstError("ERR_GIT_REFUSED", "expected 40 hex digits as name of a commit");
      const objects = origin.objects();
      if (reader?.objects !== objects) reader = { objects, snapshots: openSnapshotReader(objects, options.limits) };
      return reader.snapshots.snapshot({ source: options.name, branch: of, commit }, path);
    },
    async bytes(id, type) {
      if (!COMMIT.test(id)) throw new WrkstError("ERR_GIT_REFUSED", "expected 40 hex digits as name of an object");
      return origin.objects().bytes(id, type);
    },
    get looksAt() {
      return polling?.at;
    },
    async watch(wake) {
      const polls = options.pollInterval > 0 && typeof options.repo === "string";
      polling = polls ? poll(wake, options.pollInterval, options.random ?? Math.random) : undefined;
      const watches = [
        ...(origin.local === undefined ? [] : [await watchRefs(origin.local, wake, follow)]),
        ...(polling ? [polling] : []),
      ];
      return {
        async close() {
          await Promise.all(watches.map((each) => each.close()));
        },
      };
    },
    async close() {
      await last;
      origin.close();
    },
  };
}

interface Poll extends Watch {
  /** Of the next look, milliseconds since 1970. */
  readonly at: number | undefined;
}

/** Wakes about every `interval` milliseconds, a tenth more or less, so that many agents do not ask at once. */
function poll(wake: () => void, interval: number, random: () => number): Poll {
  let timer: NodeJS.Timeout;
  let at: number | undefined;
  const again = () => {
    const wait = interval * (0.9 + 0.2 * random());
    at = Date.now() + wait;
    timer = setTimeout(() => {
      again();
      wake();
    }, wait);
    timer.unref();
  };
  again();
  return {
    get at() {
      return at;
    },
    async close() {
      clearTimeout(timer);
      at = undefined;
    },
  };
}

function validateFollow(follow: Follow): Follow {
  return "branch" in follow ? { branch: validateBranch(follow.branch) } : { tags: validateRange(follow.tags) };
}

function remoteOrigin(options: SourceOptions, address: string, follow: Follow): Origin {
  const remote: Remote = parseRemote(address, { local: options.local ?? false });
  const access = accessTo(remote, options.credentials ?? {});
  // A redirect would lead past the admission.
  if (options.admit) access.config.push("http.followRedirects=false");
  const mirror: Mirror = openMirror({
    dir: join(options.gitDir, `${options.name}.git`),
    ...{ remote, access, follow, slots: options.slots },
    admit: async () => options.admit?.(remote),
    seesAll: options.seesAll ?? false,
    environment: options.environment,
    timeouts: options.timeouts ?? TIMEOUTS,
  });
  return {
    repo: remote.url,
    ...(remote.kind === "local" && { local: remote.url }),
    async fetch(call, announced) {
      const current = await mirror.current();
      const announces = announced !== undefined && current !== undefined && current.commit !== announced;
      const fetched = announces ? await mirror.fetchAtOnce(call) : undefined;
      if (fetched !== undefined) return fetched;
      const tip = await mirror.list(call);
      return current?.id === (tip.tag?.id ?? tip.commit) ? { ...tip, commit: current.commit } : mirror.fetch(tip, call);
    },
    showed: mirror.showed,
    resolve: mirror.resolve,
    contains: mirror.contains,
    listed: mirror.listed,
    look: (signal) => mirror.list({ signal, rank: "asked" }),
    branches: mirror.heads,
    async bringIn(branches, signal) {
      const there = await Promise.all([...branches].map(([, commit]) => mirror.objects().header(commit)));
      const missing = [...branches.keys()].filter((_, index) => !there[index]);
      if (missing.length) await mirror.fetchBranches(missing, signal);
    },
    objects: mirror.objects,
    close: mirror.close,
  };
}

function embeddedOrigin({ environment }: SourceOptions, dir: string, follow: Follow): Origin {
  const objects = openObjects({ gitDir: dir, environment });
  const tip = async (): Promise<Tip> => {
    if ("tags" in follow) return newestTagHere(dir, { range: follow.tags, objects, environment });
    const header = await objects.header(`refs/heads/${follow.branch}`).catch(() => undefined);
    if (header?.type === "commit") return { commit: header.id };
    throw await whyNoCommit(dir, follow.branch, environment);
  };
  return {
    repo: "embedded",
    local: dir,
    fetch: tip,
    look: tip,
    listed: (names, signal) => listHere(dir, names, { environment, signal }),
    // What is here is all there is.
    showed: () => "tags" in follow,
    branches: () => listHeads(dir, environment),
    contains: async () => true,
    resolve: (ref, signal) => resolveHere(dir, ref, { environment, signal }),
    bringIn: async () => {},
    objects: () => objects,
    close: () => objects.close(),
  };
}

/** As `ls-remote` of a remote tells it. */
async function listHere(
  dir: string,
  names: string[],
  { environment, signal }: { environment: BaseEnvironment | undefined; signal: AbortSignal },
): Promise<Map<string, string>> {
  const format = "%(objectname)%09%(refname)%0a%(*objectname)%09%(refname)^{}";
  const args = ["for-each-ref", `--format=${format}`, ...names.filter((name) => !name.endsWith("^{}"))];
  const run = { gitDir: dir, what: "reading tags", environment: gitEnvironment(environment), signal };
  return readListed(await runGit(args, run));
}

async function newestTagHere(
  dir: string,
  { range, objects, environment }: { range: string; objects: Objects; environment: BaseEnvironment | undefined },
): Promise<Tip> {
  if (!(await findRefsFolder(dir))) throw gone();
  const ids = new Map(
    (await listReferences(dir, "%(objectname) %(refname:lstrip=2)", { under: "refs/tags/", environment })).map(
      (line) => [line.slice(41), line.slice(0, 40)] as const,
    ),
  );
  const name = newestTag(ids.keys(), range);
  const id = name === undefined ? undefined : ids.get(name);
  if (name === undefined || id === undefined) throw noTag(range, "embedded");
  const commit = await objects.header(`${id}^{commit}`);
  if (commit?.type !== "commit") throw noCommit(name);
  return { commit: commit.id, tag: { name, id } };
}

const HEADS = "refs/heads/";

/** Branches that lead to a commit. */
async function listHeads(dir: string, environment: BaseEnvironment | undefined): Promise<Map<string, string>> {
  const format = "%(objecttype) %(objectname) %(refname)";
  const listed = await listReferences(dir, format, { under: HEADS, environment });
  const heads = listed.map((line) => /^commit ([0-9a-f]{40}) refs\/heads\/(.+)$/.exec(line));
  return new Map(heads.flatMap((found) => (found ? [[found[2]!, found[1]!] as const] : [])));
}

/** The reference did not lead to a commit: no repository, no branch, or a branch whose commit is missing. */
async function whyNoCommit(dir: string, branch: string, environment: BaseEnvironment | undefined): Promise<WrkstError> {
  if (!(await findRefsFolder(dir))) return gone();
  const [named] = await listReferences(dir, "%(objectname)", { under: `${HEADS}${branch}`, environment });
  if (named === undefined) return noBranch(branch, "embedded");
  return new WrkstError("ERR_GIT", `branch "${branch}" names commit "${named}", which is missing`, {
    hint: "push the branch again",
  });
}

/** A line for each reference of the embedded repository below, or at, `under`. */
async function listReferences(
  dir: string,
  format: string,
  { under, environment }: { under: string; environment: BaseEnvironment | undefined },
): Promise<string[]> {
  try {
    const git = openGit(dir, environment, { GIT_DIR: dir });
    const listed = await git.raw(["for-each-ref", `--format=${format}`, under]);
    return listed.split("\n").filter((line) => line !== "");
  } catch (error) {
    throw gitError("reading the embedded repository", error);
  }
}

function gone(): WrkstError {
  return new WrkstError("ERR_GIT_UNREACHABLE", "the embedded repository is gone", {
    hint: "restore it, or restart the agent to begin with a new one",
  });
}
