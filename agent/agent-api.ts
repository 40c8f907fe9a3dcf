// Opens the agent's HTTP side: access, git over HTTP whose pushes wait for their pass, API, its sockets.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ApiOptions, createApi, listenOn, type TailParts } from "./api/index.js";
import { openAuth } from "./auth/index.js";
import type { ProcessConfig } from "./config.js";
import { reportOf } from "./errors.js";
import type { Log } from "./log.js";
import type { Metrics } from "./metrics/index.js";
import type { AccessRecords } from "./model-access.js";
import type { Databases } from "./reconcile/databases.js";
import type { Deploys } from "./reconcile/deploys.js";
import type { Platform } from "./reconcile/platform.js";
import { linesOf } from "./reconcile/report.js";
import type { FollowedSources, Following } from "./reconcile/sources/index.js";
import type { Telling } from "./reconcile/telling.js";
import { openGitHandler, type Push } from "./source/git-http.js";

export interface AgentApiOptions {
  config: ProcessConfig;
  log: Log;
  platform: Platform;
  deploys: Deploys;
  sources: FollowedSources;
  telling: Telling;
  runDir: string;
  access: AccessRecords;
  /** Keeps an audit event. */
  audit: ApiOptions["audit"];
  writes: ApiOptions["writes"];
  deliveries: ApiOptions["deliveries"];
  /** Origin without trailing slash; known for sure when the runtime listens. */
  publicUrl: () => string;
  /** What functions say. */
  tail: TailParts;
  databases: Databases;
  metrics: Metrics;
}

export interface AgentApi {
  tokenFile: string | undefined;
  /** The same call, but not before a push that is coming in has told itself who pushed. */
  gateOfPushes(wake: () => void): () => void;
  close(): Promise<void>;
}

export async function openApi(options: AgentApiOptions): Promise<AgentApi> {
  const { config, deploys, log, platform, runDir, sources } = options;
  const auth = await openAuth({
    secretsDir: join(config.dataDir, "secrets"),
    adminToken: config.adminToken,
    records: options.access,
    settings: config.access,
    publicUrl: options.publicUrl,
  });
  const git = openGitHandler({
    dir: join(config.dataDir, "git/functions.git"),
    hooksDir: join(config.dataDir, "hooks"),
    environment: config.environment,
    onPush: (push) => followPush(options, push),
  });
  const pushes = createPushGate();
  const uploads = join(config.dataDir, "uploads");
  // What a kill has left of uploads that were being read.
  await rm(uploads, { recursive: true, force: true });
  const { handler, upgrade } = createApi({
    tail: options.tail,
    databases: options.databases,
    metrics: options.metrics,
    platform,
    sources,
    telling: options.telling,
    previews: sources.previews,
    deploys,
    auth,
    audit: options.audit,
    writes: options.writes,
    deliveries: options.deliveries,
    publicUrl: options.publicUrl,
    uploads,
    config,
    log,
    git: (req, res, pathInfo, who) => {
      if (pathInfo.endsWith("/git-receive-pack")) res.once("close", pushes.enter());
      git.handle(req, res, pathInfo, who);
    },
  });
  const listening = [await listenOn({ handler, upgrade, socketPath: join(runDir, "agent.sock") })];
  if (config.adminListen) listening.push(await listenOn({ handler, upgrade, ...config.adminListen }));
  return {
    tokenFile: auth.tokenFile,
    gateOfPushes: pushes.gate,
    close: async () => {
      await git.close();
      await Promise.all(listening.map((socket) => socket.close()));
    },
  };
}

/** The watch sees a reference move before the push that moved it is through: its pass would not know the pusher. */
function createPushGate(): { enter(): () => void; gate(wake: () => void): () => void } {
  let inside = 0;
  const held = new Set<() => void>();
  return {
    enter() {
      inside++;
      return () => {
        inside--;
        if (inside > 0) return;
        const waiting = [...held];
        held.clear();
        for (const wake of waiting) wake();
      };
    },
    gate: (wake) => () => {
      if (inside > 0) held.add(wake);
      else wake();
    },
  };
}

/** A push waits for the passes of followed branches and for the previews of the others, and prints what came of them. */
async function followPush(options: Pick<AgentApiOptions, "sources" | "log">, push: Push): Promise<void> {
  const embedded = options.sources.ofEmbedded();
  const following = embedded.filter((one) => updatesOf(one, push).length);
  const previewed = embedded.flatMap((one) => previewedOf(one, push));
  for (const one of following) {
    if (following.length > 1) push.write(`wrkst: source "${one.name}"`);
    await followOne(options, one, push);
  }
  if (!following.length && !previewed.length) tellKept(embedded, push);
  await Promise.all(
    previewed.map(async ({ name, previews, branch, commit }) => {
      const kept = keptBy(options.sources, name);
      for (const line of kept === undefined ? await previews.follow(branch, commit) : [kept]) push.write(line);
    }),
  );
}

function tellKept(embedded: Following[], push: Push): void {
  const names = embedded.map(({ settings: { follow } }) =>
    "branch" in follow ? `"${follow.branch}"` : `the newest tag in "${follow.tags}"`,
  );
  const followed = names.length ? `only ${names.join(", ")} is deployed` : "another repository is followed";
  push.write(`wrkst: kept; ${followed}`);
}

const HEADS = "refs/heads/";

function previewedOf({ name, previews }: Following, { updates }: Push) {
  return updates
    .filter(({ ref }) => ref.startsWith(HEADS))
    .map(({ ref, to }) => ({ name, previews, branch: ref.slice(HEADS.length), commit: to }))
    .filter(({ branch }) => previews.isPreviewed(branch));
}

function updatesOf({ source }: Following, push: Push): Push["updates"] {
  return push.updates.filter(({ ref }) => source.follows(ref));
}

/** What a pusher to a suspended source is told. */
function keptBy(sources: FollowedSources, name: string): string | undefined {
  try {
    sources.refuseSuspended(name);
    return undefined;
  } catch (error) {
    return `wrkst: kept; ${reportOf(error).message}`;
  }
}

async function followOne(
  { sources, log }: Pick<AgentApiOptions, "sources" | "log">,
  following: Following,
  push: Push,
): Promise<void> {
  const { name, loop, source, settings } = following;
  const updates = updatesOf(following, push);
  const kept = keptBy(sources, name);
  if (kept !== undefined) return push.write(kept);
  const followsTags = "tags" in settings.follow;
  const commit = followsTags ? await newestOf(following, updates, push.signal) : updates[0]?.to;
  if (!followsTags && !commit) {
    loop.wake({ cause: "push", author: push.who });
    return push.write(`wrkst: the branch "${source.branch}" is gone; what serves stays`);
  }
  const report = await loop.sync({
    cause: "push",
    author: push.who,
    ...(commit ? { commit } : {}),
    untilSettled: false,
    observe: (progress) => {
      for (const line of linesOf(progress)) push.write(line);
    },
  });
  log.debug({ source: name, result: report.result }, "push followed");
  if (followsTags && !report.error) tellTag(following, updates, push);
  for (const line of linesOf({ kind: "done", report })) push.write(line);
}

/** The commit of the newest tag, where the push has moved that tag. */
async function newestOf({ source }: Following, updates: Push["updates"], signal: AbortSignal) {
  const tip = await source.look(signal).catch(() => undefined);
  return updates.some(({ ref }) => ref === `refs/tags/${tip?.tag?.name}`) ? tip?.commit : undefined;
}

/** Of a push that leaves the newest tag as it is nothing else would be said. */
function tellTag({ source, settings: { follow } }: Following, updates: Push["updates"], push: Push): void {
  if ("branch" in follow || updates.some(({ ref, to }) => to !== null && ref === `refs/tags/${source.branch}`)) return;
  push.write(`wrkst: "${source.branch}" is the newest tag in "${follow.tags}"`);
}
