// All sources that the platform follows: the one of the environment and those that people add, each with a loop of its own.
// Invariant: what is followed is what the registry has, and no failure of one source stops another.
import { rm } from "node:fs/promises";
import { reportOf, WrkstError } from "../../errors.js";
import type { SourceDetail, SourceSettings, SourceStatus, Suspension } from "../../model.js";
import { unopenedSource } from "../../source/unopened.js";
import type { SourceRecord } from "../../store/index.js";
import type { PassRequest } from "../loop.js";
import { type CommitPreviewsFront, createCommitPreviews } from "../previews/requests.js";
import type { CommitPreviews } from "../previews.js";
import type { Sources } from "../sources.js";
import { createTurns } from "../turns.js";
import { createChanging } from "./changing.js";
import {
  type ClearCredentials,
  credentialNames,
  namesOfEnvironment,
  openCredentials,
  useCredentials,
} from "./credentials.js";
import { branchesOf, type Described, type Following, type FollowingDeps, openFollowing } from "./following.js";
import { createJobs } from "./jobs.js";
import { createRoster, freedBy, type Roster } from "./roster.js";
import { createSuspending, suspended } from "./suspending.js";
import { createWebhookSecrets } from "./webhooks.js";

export type { Following, SharedPassDeps } from "./following.js";
export { FIRST_SOURCE } from "./settings.js";

export interface SourcesDeps extends Omit<FollowingDeps, "followedOf" | "isSuspended" | "onPreviews"> {
  /** The source of the environment. */
  first: Described;
  /** WEBHOOK_SECRET: of the source of the environment. */
  webhookSecret: string | undefined;
  /** Origin without trailing slash. */
  publicUrl(): string;
  /** Where keys of ssh lie while they are used. */
  keysDir: string;
  /** PREVIEW_RETENTION in milliseconds; 0: for ever. */
  previewRetention: number;
  publisher: { publish(): Promise<void> };
}

export interface FollowedSources extends Sources {
  readonly previews: CommitPreviews;
  statuses(): SourceStatus[];
  /** When what failed is tried again, milliseconds since 1970. */
  retryAt(name: string): number | undefined;
  /** When its repository is looked at again by itself; undefined where only pushes, webhooks and syncs wake it. */
  looksAt(name: string): number | undefined;
  suspensionOf(name: string): Suspension | undefined;
  /** Those that follow the embedded repository. */
  ofEmbedded(): Following[];
  /** @throws WrkstError ERR_SUSPENDED */
  refuseSuspended(name: string): void;
  /** Nothing happens while it is suspended, or where there is none of that name. */
  wakeOne(name: string, request: Partial<PassRequest>): void;
  /** All that are not suspended. */
  wake(request: Partial<PassRequest>): void;
  /** Something is recorded that could not be brought to the runtime. */
  publishSoon(): void;
  /** What earlier passes built for later ones is forgotten. */
  forgetBuilds(): void;
  /** Whether previews of any source are being made. */
  isPreviewing(): boolean;
  /**
   * Begins to follow: settles when the first pass of each is done, or was waited for long enough. `gate` stands between the
   * embedded repository's watch and what it wakes.
   */
  start(gate: (wake: () => void) => () => void): Promise<void>;
  close(): Promise<void>;
}

const HOUR = 3_600_000;
const PUBLISH_AGAIN = 1_000;

/** Opens all of them; none is asked yet. Throws what a person must mend in the environment. */
export async function createSources(deps: SourcesDeps): Promise<FollowedSources> {
  const { registry, first, log } = deps;
  const closing = new AbortController();
  // What a kill has left of keys that were in use.
  await rm(deps.keysDir, { recursive: true, force: true });
  const roster = createRoster(deps);
  const jobs = createJobs();
  const turns = createTurns();
  const previews: CommitPreviewsFront = createCommitPreviews({
    ...{ registry, publisher: deps.publisher, urlOf: deps.urlOf, tend: deps.tend, log, now: Date.now },
    ...{ sources: roster.all, refuseSuspended, retention: deps.previewRetention },
  });
  const shared = reporting({ ...deps, onPreviews: () => previews.look() }, roster);
  const open = createOpening(deps, shared);
  const webhooks = createWebhookSecrets({ ...deps, roster, secretOfEnvironment: deps.webhookSecret });
  const suspending = createSuspending({ registry, roster, log });
  const detailOf = createDetailing(deps, { roster, providers: webhooks.providers });
  const changing = createChanging({ ...deps, roster, turns, open, detailOf, signal: closing.signal });
  const statusOf = (following: Following) => detailedStatus(roster, following);
  let hourly: NodeJS.Timeout | undefined;

  roster.all.set(first.name, await openFollowing(shared, first));
  for (const kept of registry.sources()) roster.all.set(kept.name, await openKept(kept));

  /** What serves of it serves on, and it says what is wrong until somebody edits or removes it. */
  async function openKept({ name, settings, credentials }: SourceRecord): Promise<Following> {
    try {
      return await open(name, settings, openCredentials(deps.sealing, name, credentials));
    } catch (error) {
      log.warn({ source: name, err: reportOf(error) }, "a source cannot be followed");
      const { code, message, ...details } = reportOf(error);
      const unopened = unopenedSource(name, settings, new WrkstError(code, message, details));
      return openFollowing(shared, { name, settings, credentials: {}, isOfEnvironment: false }, unopened);
    }
  }

  function refuseSuspended(name: string): void {
    const suspension = roster.suspensionOf(name);
    if (suspension) throw suspended(name, suspension);
  }

  return {
    ...changing,
    ...webhooks,
    previews,
    suspend: suspending.suspend,
    resume: suspending.resume,
    list: () => {
      const counts = countsBySource(registry.functions());
      const sorted = [...roster.all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return sorted.map((following) => detailOf(following, counts));
    },
    find: (name) => {
      const following = roster.all.get(name);
      return following && detailOf(following);
    },
    async sync(name, { wait, ...options }) {
      const { loop } = roster.expect(name);
      refuseSuspended(name);
      const pass = loop.sync(options);
      return wait ? pass : jobs.begin(name, pass);
    },
    job: (id) => jobs.find(id) ?? previews.job(id),
    diff: async (name, ref, signal) => roster.expect(name).diff(ref, signal),
    retryAt: (name) => roster.all.get(name)?.loop.retryAt,
    looksAt: (name) => roster.all.get(name)?.source.looksAt,
    suspensionOf: roster.suspensionOf,
    statuses: () => [...roster.all.values()].map(statusOf),
    ofEmbedded: () => [...roster.all.values()].filter(({ settings }) => settings.repo === "embedded"),
    refuseSuspended,
    wakeOne(name, request) {
      const following = roster.all.get(name);
      if (following) roster.wake(following, request);
    },
    wake: roster.wakeAll,
    publishSoon() {
      const active = [...roster.all.values()].find(({ name }) => !roster.suspensionOf(name));
      if (active) return active.loop.wake({ force: true });
      setTimeout(() => void deps.publisher.publish().catch(() => undefined), PUBLISH_AGAIN).unref();
    },
    isPreviewing: () => [...roster.all.values()].some(({ previews }) => previews.isBusy),
    forgetBuilds() {
      for (const following of roster.all.values()) following.forgetBuilds();
    },
    async start(gate) {
      roster.setGate(gate);
      suspending.look();
      previews.look();
      hourly = setInterval(() => roster.wakeAll({ cause: "sync" }), HOUR);
      const all = [...roster.all.values()];
      const begun = all.map((following) =>
        following.isOfEnvironment ? roster.begin(following) : roster.beginFirst(following),
      );
      await Promise.all(begun);
    },
    async close() {
      closing.abort(new WrkstError("ERR_SUPERSEDED", "the agent is stopping"));
      clearInterval(hourly);
      await Promise.all([suspending.close(), previews.close()]);
      await Promise.all([...roster.all.values()].map((following) => following.close()));
    },
  };
}

function reporting(deps: Omit<FollowingDeps, "followedOf" | "isSuspended">, roster: Roster): FollowingDeps {
  return {
    ...deps,
    isSuspended: (source) => roster.suspensionOf(source) !== undefined,
    followedOf: (repo) => roster.ofRepository(repo).flatMap(({ settings }) => branchesOf(settings)),
    onReport(report, request) {
      deps.onReport(report, request);
      roster.wakeClaimants(freedBy(report));
    },
  };
}

/** Opens a source that a person added; what ssh needs as files is removed with it. */
function createOpening({ keysDir }: Pick<SourcesDeps, "keysDir">, shared: FollowingDeps) {
  return async (name: string, settings: SourceSettings, clear: ClearCredentials): Promise<Following> => {
    const { credentials, release } = await useCredentials(clear, keysDir);
    try {
      const following = await openFollowing(shared, { name, settings, credentials, isOfEnvironment: false });
      return { ...following, close: () => following.close().finally(release) };
    } catch (error) {
      await release();
      throw error;
    }
  };
}

function createDetailing(
  { registry, first }: SourcesDeps,
  { roster, providers }: { roster: Roster; providers(source: string): string[] },
) {
  return (following: Following, counts = countsBySource(registry.functions())): SourceDetail => {
    const { name, settings, isOfEnvironment } = following;
    const suspension = roster.suspensionOf(name);
    const commitStatus = registry.commitStatuses.detail(name);
    return {
      ...detailedStatus(roster, following),
      settings: { ...settings, verify: following.verifying?.policy() ?? settings.verify },
      isOfEnvironment,
      credentials: isOfEnvironment
        ? namesOfEnvironment(first.credentials)
        : credentialNames(registry.source(name)?.credentials ?? {}),
      webhooks: providers(name),
      ...(commitStatus ? { commitStatus } : {}),
      ...(suspension ? { suspension } : {}),
      functions: counts.get(name) ?? 0,
      branches: following.previews.list(),
    };
  };
}

function detailedStatus(roster: Roster, { name, status }: Following): SourceStatus {
  return roster.suspensionOf(name) ? { ...status(), state: "suspended" } : status();
}

function countsBySource(functions: { source: string | null }[]): Map<string | null, number> {
  const counts = new Map<string | null, number>();
  for (const { source } of functions) counts.set(source, (counts.get(source) ?? 0) + 1);
  return counts;
}
