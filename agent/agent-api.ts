// Opens the agent's HTTP side: access, git over HTTP whose pushes wait for their pass, API, its sockets.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ApiOptions, createApi, listenOn, type TailParts } from "./api/index.js";
import { openAuth } from "./auth/index.js";
import type { ProcessConfig } from "./config.js";
import type { Log } from "./log.js";
import type { Metrics } from "./metrics/index.js";
import type { AccessRecords } from "./model-access.js";
import type { Databases } from "./reconcile/databases.js";
import type { Deploys } from "./reconcile/deploys.js";
import type { Loop } from "./reconcile/loop.js";
import type { Platform } from "./reconcile/platform.js";
import type { Previews } from "./reconcile/previews/index.js";
import { linesOf } from "./reconcile/report.js";
import { openGitHandler, type Push } from "./source/git-http.js";

export interface AgentApiOptions {
  config: ProcessConfig;
  log: Log;
  platform: Platform;
  deploys: Deploys;
  loop: Loop;
  previews: Previews;
  runDir: string;
  /** The source follows the embedded repository. */
  embedded: boolean;
  access: AccessRecords;
  /** Keeps an audit event. */
  audit: ApiOptions["audit"];
  writes: ApiOptions["writes"];
  /** Origin without trailing slash; known for sure when the runtime listens. */
  publicUrl: () => string;
  /** What functions say. */
  tail: TailParts;
  databases: Databases;
  metrics: Metrics;
}

export interface AgentApi {
  tokenFile: string | undefined;
  /** Wakes the loop, but not before a push that is coming in has told itself who pushed. */
  wakeAfterPushes(): void;
  close(): Promise<void>;
}

export async function openApi(options: AgentApiOptions): Promise<AgentApi> {
  const { config, deploys, log, loop, platform, runDir } = options;
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
  const pushes = createPushGate(() => loop.wake({ cause: "sync" }));
  const uploads = join(config.dataDir, "uploads");
  // What a kill has left of uploads that were being read.
  await rm(uploads, { recursive: true, force: true });
  const { handler, upgrade } = createApi({
    tail: options.tail,
    databases: options.databases,
    metrics: options.metrics,
    platform,
    deploys,
    auth,
    audit: options.audit,
    writes: options.writes,
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
    wakeAfterPushes: pushes.wake,
    close: async () => {
      await git.close();
      await Promise.all(listening.map((socket) => socket.close()));
    },
  };
}

/** The watch sees a reference move before the push that moved it is through: its pass would not know the pusher. */
function createPushGate(wake: () => void): { enter(): () => void; wake(): void } {
  let inside = 0;
  let isHeld = false;
  return {
    enter() {
      inside++;
      return () => {
        inside--;
        if (inside > 0 || !isHeld) return;
        isHeld = false;
        wake();
      };
    },
    wake() {
      if (inside > 0) isHeld = true;
      else wake();
    },
  };
}

/** A push waits for the pass of the followed branch and for the previews of the others, and prints what came of them. */
async function followPush(options: AgentApiOptions, push: Push): Promise<void> {
  const previewed = options.embedded ? previewedOf(options.previews, push) : [];
  const isFollowed = push.updates.some(({ ref }) => ref === `refs/heads/${options.config.git.branch}`);
  if (isFollowed || previewed.length === 0) await followBranch(options, push);
  await Promise.all(
    previewed.map(async ({ branch, commit }) => {
      for (const line of await options.previews.follow(branch, commit)) push.write(line);
    }),
  );
}

const HEADS = "refs/heads/";

function previewedOf(previews: Previews, { updates }: Push): { branch: string; commit: string | null }[] {
  return updates
    .filter(({ ref }) => ref.startsWith(HEADS))
    .map(({ ref, to }) => ({ branch: ref.slice(HEADS.length), commit: to }))
    .filter(({ branch }) => previews.isPreviewed(branch));
}

/** The push of the followed branch waits for its pass and prints it; what is neither followed nor previewed is kept only. */
async function followBranch({ config, loop, embedded, log }: AgentApiOptions, push: Push): Promise<void> {
  const update = push.updates.find(({ ref }) => ref === `refs/heads/${config.git.branch}`);
  if (!update || !embedded) {
    const followed = embedded ? `only "${config.git.branch}" is deployed` : "another repository is followed";
    return push.write(`wrkst: kept; ${followed}`);
  }
  if (update.to === null) {
    loop.wake({ cause: "push", author: push.who });
    return push.write(`wrkst: the branch "${config.git.branch}" is gone; what serves stays`);
  }
  const report = await loop.sync({
    cause: "push",
    author: push.who,
    commit: update.to,
    untilSettled: false,
    observe: (progress) => {
      for (const line of linesOf(progress)) push.write(line);
    },
  });
  log.debug({ result: report.result }, "push followed");
  for (const line of linesOf({ kind: "done", report })) push.write(line);
}
