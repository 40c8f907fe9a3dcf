// One source at work: its repository, its checkout, its loop and its state. Knows of no other source.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ErrorReport } from "../../errors.js";
import { createDeclarationReader } from "../../manifest/declarations.js";
import type { Declaration, PassReport, SourceSettings, SourceStatus } from "../../model.js";
import type { Sealing } from "../../secrets/sealing.js";
import { openCheckout } from "../../source/checkout.js";
import { openSource, type Source, type SourceOptions } from "../../source/follow.js";
import type { AdmitRemote } from "../../source/hosts.js";
import type { GitSlots } from "../../source/slots.js";
import type { FunctionRecord, Registry } from "../../store/index.js";
import { createDiffing } from "../diff.js";
import { createKeptBuilds } from "../kept-builds.js";
import { Loop, type PassRequest, type PassRun } from "../loop.js";
import { type PassDeps, runPass } from "../pass.js";
import { openPreviews, type Previews, type PreviewsDeps } from "../previews/index.js";
import { createSecretsOf } from "../secrets.js";
import type { Turns } from "../turns.js";
import type { Verifying } from "../verify.js";
import { createSourceState, type SourceState } from "./state.js";

/** What the passes of all sources have in common. */
export type SharedPassDeps = Omit<
  PassDeps,
  | "source"
  | "checkout"
  | "installer"
  | "account"
  | "pruneLimit"
  | "seed"
  | "declarations"
  | "secretsOf"
  | "refuse"
  | "kept"
  | "atomic"
  | "verify"
>;

export interface FollowingDeps {
  registry: Registry;
  sealing: Sealing;
  passes: SharedPassDeps;
  /** Of mirrors, of checkouts, and the embedded repository. */
  folders: { git: string; work: string; embedded: string };
  environment: NonNullable<SourceOptions["environment"]>;
  /** Where sources that people add may be. */
  admit: AdmitRemote;
  /** Bounds the git processes that talk to remotes. */
  slots?: GitSlots;
  isSuspended(source: string): boolean;
  /** Branches of the repository that any source follows: none of them is another one's preview. */
  followedOf(repo: string): string[];
  /** Of the checkout in that folder. */
  openInstaller(root: string): PassDeps["installer"];
  /** Why the platform refuses a declaration of that account although its file is right, if so. */
  refuse(declaration: Declaration, account: string, record: FunctionRecord | undefined): ErrorReport | undefined;
  /** Who must have signed, if anybody must. */
  openVerify(source: Source, described: Described): Promise<Verifying | undefined>;
  /** What must see no pass at work takes its turn alone. */
  turns: Turns;
  /** Done before the next pass of the source. */
  afterPass(pass: PassRun): Promise<void>;
  watchPass(pass: PassRun): PassRun;
  onReport(report: PassReport, request: PassRequest): void;
  /** Of databases, for previews. */
  copies: PreviewsDeps["copies"];
  tend(): void;
  /** A preview is there, or is another one. */
  onPreviews(): void;
  log: PreviewsDeps["log"];
  urlOf: PreviewsDeps["urlOf"];
  now(): number;
}

/** A source and how it is reached. */
export interface Described {
  name: string;
  settings: SourceSettings;
  credentials: NonNullable<SourceOptions["credentials"]>;
  /** Described by the environment. */
  isOfEnvironment: boolean;
  /** Commit that the platform filled the embedded repository with. */
  seed?: string | undefined;
}

export interface Following {
  readonly name: string;
  /** `repo` without credentials. */
  readonly settings: SourceSettings;
  readonly isOfEnvironment: boolean;
  readonly source: Source;
  /** Undefined: anybody may sign, or nobody. */
  readonly verifying: Verifying | undefined;
  readonly loop: Loop;
  readonly state: SourceState;
  readonly previews: Previews;
  /** What a branch, tag or commit would change. */
  readonly diff: ReturnType<typeof createDiffing>;
  status(): SourceStatus;
  /** What earlier passes built for a later one is forgotten. */
  forgetBuilds(): void;
  /** Wakes whenever the repository may have moved. */
  watch(wake: () => void): Promise<void>;
  close(): Promise<void>;
  /** What lies on the disk of it. After `close`. */
  removeFiles(): Promise<void>;
}

/**
 * @param opened in place of what is described, where that cannot be opened
 * @throws WrkstError ERR_GIT_REFUSED where address, branch, path or credentials are not well formed
 */
export async function openFollowing(deps: FollowingDeps, described: Described, opened?: Source): Promise<Following> {
  const { name, isOfEnvironment } = described;
  const folders = foldersOf(deps, described);
  const source = opened ?? (await openSource(sourceOptions(deps, described, folders.git)));
  const settings = { ...described.settings, repo: source.repo, path: source.path };
  const state = createSourceState(
    { registry: deps.registry, account: settings.account, interval: settings.interval, now: Date.now },
    { name, repo: source.repo, path: source.path },
    () => source.branch,
  );
  const verifying = opened ? undefined : await deps.openVerify(source, described);
  const passDeps = passDepsOf(deps, { described, source, verifying, work: folders.work });
  const loop: Loop = new Loop({
    source: name,
    peek: async (signal) => (await source.fetch({ signal, rank: "asked" })).commit,
    run: async (pass) => {
      const report = await runAmongOthers(deps, passDeps, deps.watchPass(pass));
      await deps.afterPass(pass);
      return report;
    },
    log: (report, request) => {
      state.record(report);
      deps.onReport(report, request);
      previews.wake();
    },
  });
  const previews = previewsOf(deps, { source, settings, passDeps, loop, work: `${folders.work}.previews` });
  const watches: { close(): Promise<void> }[] = [];
  return {
    ...{ name, settings, isOfEnvironment, source, loop, state, previews, verifying },
    diff: createDiffing({ ...passDeps, source }),
    status: state.status,
    forgetBuilds: () => passDeps.kept.clear(),
    async watch(wake) {
      watches.push(
        await source.watch(() => {
          wake();
          previews.wake();
        }),
      );
    },
    async close() {
      await Promise.all(watches.splice(0).map((watch) => watch.close()));
      await previews.close();
      await loop.close();
      await source.close();
    },
    async removeFiles() {
      const mirror = join(folders.git, `${name}.git`);
      const paths = [
        mirror,
        `${mirror}.new`,
        `${mirror}.history`,
        `${mirror}.settings`,
        folders.work,
        `${folders.work}.previews`,
      ];
      await Promise.all(paths.map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}

/** Those of sources that people add lie apart, so that no name of theirs is the name of anything else. */
function foldersOf({ folders }: FollowingDeps, { name, isOfEnvironment }: Described): { git: string; work: string } {
  if (isOfEnvironment) return { git: folders.git, work: join(folders.work, name) };
  return { git: join(folders.git, "sources"), work: join(folders.work, "sources", name) };
}

function sourceOptions(deps: FollowingDeps, described: Described, gitDir: string): SourceOptions {
  const { name, settings, credentials, isOfEnvironment } = described;
  const { repo, follow, path, interval } = settings;
  return {
    ...{ name, path, gitDir, credentials, environment: deps.environment },
    repo: repo === "embedded" ? { embedded: deps.folders.embedded } : repo,
    ...{ follow, lastTag: deps.registry.lastRevision(name)?.branch },
    ...(deps.slots ? { slots: deps.slots } : {}),
    local: isOfEnvironment,
    ...(isOfEnvironment ? {} : { admit: deps.admit }),
    pollInterval: interval ?? 0,
    seesAll: settings.previews.length > 0,
  };
}

function passDepsOf(
  deps: FollowingDeps,
  parts: { described: Described; source: Source; verifying: Verifying | undefined; work: string },
): PassDeps {
  const { described, source, verifying, work } = parts;
  const { account, prune, atomic } = described.settings;
  const checkout = openCheckout(work);
  return {
    ...deps.passes,
    ...{ source, checkout, account, atomic, seed: described.seed },
    ...(verifying ? { verify: verifying.verify } : {}),
    installer: deps.openInstaller(checkout.dir),
    pruneLimit: prune === "never" ? { share: 0, count: 0 } : { share: prune.percent / 100, count: prune.count },
    declarations: createDeclarationReader(),
    secretsOf: createSecretsOf(deps.registry, deps.sealing, account),
    refuse: (declaration, record) =>
      deps.refuse(declaration, account, record?.account === account ? record : undefined),
    kept: createKeptBuilds(),
  };
}

function previewsOf(
  deps: FollowingDeps,
  {
    source,
    settings,
    passDeps,
    loop,
    work,
  }: Pick<Following, "source" | "settings" | "loop"> & { passDeps: PassDeps; work: string },
): Previews {
  const { copies, log, urlOf, tend, onPreviews: onMade } = deps;
  const checkout = openCheckout(work);
  return openPreviews({
    ...{ source, settings, copies, log, urlOf, checkout, tend, onMade },
    passes: passDeps,
    installer: deps.openInstaller(checkout.dir),
    isSuspended: () => deps.isSuspended(source.name),
    followed: () => [...new Set([...branchesOf(settings), ...deps.followedOf(settings.repo)])],
    calm: () => loop.calm(),
  });
}

/** The branch that is followed, unless tags are. */
export function branchesOf({ follow }: Pick<SourceSettings, "follow">): string[] {
  return "branch" in follow ? [follow.branch] : [];
}

/** From the fetch on, whatever must see no pass at work waits for this one; a repository that does not answer holds up nobody. */
async function runAmongOthers(deps: FollowingDeps, passDeps: PassDeps, pass: PassRun): Promise<PassReport> {
  const { source, underWay } = passDeps;
  let leave = () => {};
  const entering: PassDeps["source"] = {
    ...{ name: source.name, branch: source.branch, path: source.path },
    snapshot: (commit) => source.snapshot(commit),
    pinned: source.pinned,
    bringInPinned: source.bringInPinned,
    async fetch(options) {
      const found = await source.fetch(options);
      leave = await enter(deps.turns, source.name);
      return found;
    },
  };
  try {
    return await runPass({ ...passDeps, source: entering }, pass);
  } finally {
    underWay.delete(source.name);
    leave();
  }
}

function enter(turns: Turns, name: string): Promise<() => void> {
  return new Promise((entered) => {
    void turns.of(`source ${name}`, () => new Promise<void>((leave) => entered(leave)));
  });
}
