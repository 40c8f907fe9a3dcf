// The agent as one object: opens every part in order, closes them in reverse. The only file that knows all parts.

import { mkdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { D1_DEFAULTS, type D1Settings } from "../runtime/d1/wire.js";
import { SECRETS_KEY_VARIABLE, type TailLine, WARDS } from "../runtime/wire.js";
import { openApi } from "./agent-api.js";
import { type AgentDatabases, openAgentDatabases } from "./agent-databases.js";
import { type AgentMetrics, openAgentMetrics } from "./agent-metrics.js";
import { openAgentNotify } from "./agent-notify.js";
import { openAgentSources } from "./agent-sources.js";
import { type AgentTail, openAgentTail } from "./agent-tail.js";
import { createUpkeep } from "./agent-upkeep.js";
import { openArtifactStore } from "./artifact/index.js";
import { openEncryptionKey } from "./auth/encryption-key.js";
import { BUNDLER_ID, openBundler } from "./bundle/bundler.js";
import { writeBarrier } from "./bundle/confine.js";
import { openInstaller } from "./bundle/installer.js";
import { defaultPublicUrl, type ProcessConfig } from "./config.js";
import { type ErrorReport, reportOf, WrkstError } from "./errors.js";
import type { Log } from "./log.js";
import type { Declaration } from "./model.js";
import { logPass, logProgress } from "./pass-log.js";
import type { Databases } from "./reconcile/databases.js";
import { createExpiry } from "./reconcile/deploys/expiry.js";
import { createDeploys } from "./reconcile/deploys/index.js";
import type { Deploys } from "./reconcile/deploys.js";
import { Platform } from "./reconcile/platform.js";
import { createPreparation } from "./reconcile/prepare.js";
import { Publisher } from "./reconcile/publisher.js";
import { checkKey, hidesSecret } from "./reconcile/secrets.js";
import type { FollowedSources } from "./reconcile/sources/index.js";
import { createTrials, type TrialConduct } from "./reconcile/trials/index.js";
import { createTurns } from "./reconcile/turns.js";
import { type RouteOptions, refusalOfHost } from "./route/index.js";
import { type Checker, openChecker } from "./runtime/checker.js";
import { endOrphans, lockDataDir } from "./runtime/lock.js";
import { databaseSocket, openRunFolder, removeSockets, wardSockets } from "./runtime/run-folder.js";
import { openRuntime, type Runtime, type RuntimeEvent } from "./runtime/runtime.js";
import { checkerConfig, rehearsalConfig, servingConfig } from "./runtime/workerd-config.js";
import { createSealing } from "./secrets/sealing.js";
import { MAIN_ACCOUNT, openRegistry, type Registry } from "./store/index.js";
import { openWorkFolder } from "./work-folder.js";

export interface Agent {
  readonly platform: Platform;
  readonly deploys: Deploys;
  readonly databases: Databases;
  readonly publicUrl: string;
  readonly tokenFile: string | undefined;
  /** Settles when the runtime serves and the first pass is done; rejects when the start failed. */
  readonly started: Promise<void>;
  close(): Promise<void>;
}

const inDist = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Opens everything that must be there before the first request; `started` follows. Throws what a person must mend. */
export async function openAgent(config: ProcessConfig, log: Log): Promise<Agent> {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return await assemble(config, log, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function assemble(
  config: ProcessConfig,
  log: Log,
  closers: (() => Promise<unknown> | unknown)[],
  close: () => Promise<void>,
): Promise<Agent> {
  const { dataDir } = config;
  const closing = new AbortController();
  const lock = await lockDataDir(dataDir);
  closers.push(() => lock.release());
  const orphans = await endOrphans(dataDir);
  if (orphans.length) log.warn({ pids: orphans }, "ended the runtime of an agent that was killed");
  const registry = openRegistry(join(dataDir, "registry.sqlite"));
  closers.push(() => registry.close());
  const runDir = await openRunFolder(dataDir);
  await removeSockets(runDir);
  const routes = () => routeOptions(config);
  const urls = { publicUrl: config.publicUrl };
  const urlOf = (name: string, label?: string) => functionUrl(urls.publicUrl, config.baseDomain, name, label);
  const key = await openEncryptionKey(join(dataDir, "secrets"), config.encryptionKey);
  const sealing = createSealing(key);
  checkKey(registry, sealing);

  const runtime: Runtime = openServing(config, log, runDir, key, {
    beforeStart: async () => void (await publisher.write()),
    onEvent: (event) => {
      onRuntimeEvent(event, platform, log);
      if (event.kind === "runtime.started") databases.closing.close().catch(() => sources.publishSoon());
    },
    onTailLine: (line) => tail.hub.take(line),
    functionNames: () => registry.functions().map((record) => record.name),
    pausedObjects: () => databases.closing.atStart(),
  });
  const publisher = new Publisher({
    ...{ registry, dataDir, routes },
    runtime: runningView(runtime),
    closing: { reopen: () => databases.closing.reopen(), close: () => databases.closing.close() },
    onWritten: () => {
      tail.refresh();
      trials.look();
    },
  });
  const now = () => performance.timeOrigin + performance.now();
  const platform = new Platform({
    ...{ registry, publisher, runtime, urlOf },
    sources: () => sources,
    trialOf: (functionId) => trials.status(functionId),
    now: Date.now,
  });
  const metrics: AgentMetrics = openAgentMetrics({
    ...{ registry, runtime, platform: () => platform },
    drain: () => databases.drain(),
  });
  closers.push(metrics.close);
  const builders = await openBuilders(config, log, runDir);
  closers.push(() => builders.close());
  const artifacts = await openArtifactStore(join(dataDir, "artifacts"));
  await mkdir(join(dataDir, "do"), { recursive: true, mode: 0o700 });
  const tail: AgentTail = openAgentTail({ dataDir, retention: config.logRetention, log, registry, artifacts, runtime });
  closers.push(() => tail.close());
  const databases: AgentDatabases = openAgentDatabases({
    ...{ dataDir, log, registry, artifacts, runtime, publisher, runDir },
    hangTimeout: config.runtime.hangTimeout,
    writeRehearsal: async (paths) =>
      rehearsalConfig({
        rehearsalJs: await readFile(inDist("runtime/rehearsal.worker.js"), "utf8"),
        ...{ ...paths, d1: d1Of(config) },
      }),
    backupInterval: config.databases.backupInterval,
    retention: config.retention,
    wake: () => sources.publishSoon(),
    onStats: (stats) => metrics.queried(stats),
  });
  closers.push(() => databases.close());
  const telling = openAgentNotify({
    ...{ config, log, registry, sealing, metrics, urlOf },
    sources: () => sources,
    publicUrl: () => urls.publicUrl,
  });
  closers.push(() => telling.close());
  const turns = createTurns();
  const prepare = createPreparation({ runtime: runningView(runtime), registry, sealing, routes });
  const underWay = new Map<string, string[]>();
  const deploys = createDeploys({
    ...{ registry, publisher, artifacts, sealing, turns, routes, urlOf },
    checker: builders.parts.checker,
    prepare,
    olderThanDatabases: databases.migrating.olderThanDatabases,
    copies: databases.copying,
    wake: () => sources.publishSoon(),
    wakeSource: (name) => sources.wakeOne(name, { force: true }),
    onHolds: () => expiry.look(),
    maxFunctions: config.maxFunctions,
    signal: closing.signal,
    now: Date.now,
  });
  const expiry = createExpiry(() => deploys.releaseExpired(), log);
  closers.push(() => expiry.close());
  const trials: TrialConduct = createTrials({ registry, runtime, moves: deploys, log });
  const upkeep = createUpkeep({
    ...{ dataDir, log, registry, artifacts, publisher, databases, turns, underWay },
    ...{ retention: config.retention, environment: config.environment, signal: closing.signal },
    installer: builders.openInstaller(builders.work),
    forgetBuilds: () => sources.forgetBuilds(),
    isPreviewing: () => sources.isPreviewing(),
  });
  const sources: FollowedSources = await openAgentSources({
    ...{ config, registry, sealing, publisher, log, runDir, turns, now, urlOf },
    copies: databases.copying,
    tend: () => void databases.copying.tend(),
    work: builders.work,
    publicUrl: () => urls.publicUrl,
    passes: {
      ...{ registry, publisher, artifacts, urlOf, now, prepare, underWay, ...builders.parts },
      migrating: databases.migrating,
      bundlerId: BUNDLER_ID,
      environment: config.wranglerEnv,
      knownVersion: (id) => registry.version(id),
      concurrency: 4 * availableParallelism(),
    },
    openInstaller: builders.openInstaller,
    refuse: (declaration, account, record) =>
      refusalOf({ declaration, account, registry }, routes()) ?? hidesSecret(registry, declaration, record),
    afterPass: upkeep,
    watchPass: (pass) => telling.watch(logProgress(log, pass)),
    onReport: (report, request) => {
      metrics.passed(report);
      telling.passed(report);
      logPass(log, report, request);
    },
  });
  const api = await openApi({
    config,
    log,
    platform,
    deploys,
    sources,
    telling,
    runDir,
    databases: databases.databases,
    metrics,
    tail: { ...tail, idOf: (name) => registry.functionByName(name)?.id },
    access: registry.access,
    audit: (event) => void registry.addEvent(event),
    writes: registry.writes,
    deliveries: registry.deliveries,
    publicUrl: () => urls.publicUrl,
  });
  closers.push(() => api.close());
  closers.push(() => runtime.stop());
  // Live tails are requests in flight, which the runtime would wait for.
  closers.push(() => tail.hub.close());
  closers.push(() => Promise.all([sources.close(), trials.close()]));
  closers.push(() => closing.abort());

  const started = (async () => {
    await runtime.start();
    if (config.port === 0) urls.publicUrl = defaultPublicUrl(config.baseDomain, runtime.ports().public ?? 0);
    platform.markPublished();
    expiry.look();
    databases.start();
    telling.start();
    await sources.start(api.gateOfPushes);
    platform.markStarted();
  })();
  started.catch(() => undefined);
  return {
    platform,
    deploys,
    databases: databases.databases,
    get publicUrl() {
      return urls.publicUrl;
    },
    tokenFile: api.tokenFile,
    started,
    close,
  };
}

function openServing(
  config: ProcessConfig,
  log: Log,
  runDir: string,
  key: Uint8Array,
  hooks: {
    beforeStart(): Promise<void>;
    onEvent(event: RuntimeEvent): void;
    onTailLine(line: TailLine): Promise<void>;
    functionNames(): string[];
    pausedObjects(): string[];
  },
): Runtime {
  const { baseDomain, publicUrl, useForwardedHost, trustedProxies, egress, dataDir } = config;
  const { maxIsolates, hangTimeout, memoryLimit } = config.runtime;
  const { pausedObjects, ...told } = hooks;
  const apiHosts = [...new Set([baseDomain, new URL(publicUrl).hostname.toLowerCase()])];
  return openRuntime({
    dataDir,
    runDir,
    hangTimeout,
    memoryLimit,
    log,
    ...told,
    environment: { [SECRETS_KEY_VARIABLE]: Buffer.from(key).toString("base64") },
    publicAddress: `${config.host}:${config.port}`,
    wards: WARDS,
    writeConfig: async ({ traceKey, wards, ward }) =>
      servingConfig({
        routerJs: await readFile(inDist("runtime/router.worker.js"), "utf8"),
        ...socketsOf(config, runDir, ward),
        agentSocket: join(runDir, "agent.sock"),
        databaseSocket: databaseSocket(runDir),
        dataDir,
        egress: { allow: egress.allow, deny: egress.deny },
        settings: {
          ...{ baseDomain, apiHosts, useForwardedHost, trustedProxies, maxIsolates },
          d1: { ...d1Of(config), ...(ward === undefined ? { paused: pausedObjects() } : {}) },
          ...(traceKey === undefined ? {} : { traceKey }),
          ...(wards === undefined ? {} : { wards }),
        },
      }),
  });
}

function d1Of({ databases }: ProcessConfig): D1Settings {
  return { ...D1_DEFAULTS, maxSize: databases.maxSize };
}

function socketsOf({ host, port }: ProcessConfig, runDir: string, ward: number | undefined) {
  if (ward !== undefined) {
    const { requests, control } = wardSockets(runDir, ward);
    return { listen: { address: `unix:${requests}` }, controlSocket: control, isWard: true };
  }
  const all = Array.from({ length: WARDS }, (_, index) => wardSockets(runDir, index).requests);
  return { listen: { address: `${host}:${port}` }, controlSocket: join(runDir, "control.sock"), wardSockets: all };
}

/** What turns a folder into a checked artifact: bundler, checker, and an installer for each checkout. */
async function openBuilders(config: ProcessConfig, log: Log, runDir: string) {
  const work = await openWorkFolder(config.dataDir);
  await writeBarrier(work);
  const cacheDir = join(work, "packages");
  const bundler = openBundler({ cacheDir });
  const checker: Checker = openChecker({
    dataDir: config.dataDir,
    runDir,
    log,
    hangTimeout: config.runtime.hangTimeout,
    processes: availableParallelism() > 1 ? 2 : 1,
    writeConfig: async (controlSocket) =>
      checkerConfig({ checkerJs: await readFile(inDist("runtime/checker.worker.js"), "utf8"), controlSocket }),
  });
  return {
    work,
    openInstaller: (root: string) => openInstaller({ cacheDir, root, environment: config.environment }),
    parts: { bundler, checker },
    close: () => Promise.all([bundler.close(), checker.close()]),
  };
}

function routeOptions(config: ProcessConfig): RouteOptions {
  return {
    now: Date.now(),
    previewRetention: config.previewRetention ?? 0,
    privateEgress: config.egress.private,
    baseDomain: config.baseDomain,
    reservedHosts: [new URL(config.publicUrl).hostname.toLowerCase()],
  };
}

/** What only the platform can refuse: hosts that are not free. */
function refusalOf(
  { declaration, account, registry }: { declaration: Declaration; account: string; registry: Registry },
  options: RouteOptions,
): ErrorReport | undefined {
  const { name, manifest } = declaration;
  for (const host of manifest?.hosts ?? []) {
    const reason = refusalOfHost(host, options);
    if (reason) return reportOf(new WrkstError("ERR_MANIFEST", `the route "${host}" is refused: ${reason}`));
    const others = registry.functions().filter((record) => Object.hasOwn(record.hosts, host));
    const owner = others.find((record) => record.name !== name);
    if (owner) {
      const hint = `remove the route from "${owner.name}" first`;
      return reportOf(new WrkstError("ERR_CONFLICT", `the route "${host}" belongs to "${owner.name}"`, { hint }));
    }
    // Outside the platform's own account hosts are granted, by an administrator who sets them.
    if (account !== MAIN_ACCOUNT && !others.length) return reportOf(ungranted(host, account));
  }
  return undefined;
}

function ungranted(host: string, account: string): WrkstError {
  return new WrkstError("ERR_FORBIDDEN", `the route "${host}" was not granted to account "${account}"`, {
    hint: "ask an administrator for it, or take it out of the wrangler file",
  });
}

/** `https://shop.example.com:8443` and `hello` make `https://hello.<base>:8443`. */
function functionUrl(publicUrl: string, baseDomain: string, name: string, label?: string): string {
  const { protocol, port } = new URL(publicUrl);
  return `${protocol}//${label === undefined ? name : `${label}--${name}`}.${baseDomain}${port ? `:${port}` : ""}`;
}

function runningView(runtime: Runtime) {
  return {
    get running() {
      return runtime.isRunning();
    },
    change: (change: Parameters<Runtime["change"]>[0]) => runtime.change(change),
    replace: (table: Parameters<Runtime["replace"]>[0]) => runtime.replace(table),
    prepare: (request: Parameters<Runtime["prepare"]>[0]) => runtime.prepare(request),
  };
}

function onRuntimeEvent(event: RuntimeEvent, platform: Platform, log: Log): void {
  platform.note({ kind: event.kind, message: event.message });
  if (event.kind === "runtime.started" || event.kind === "runtime.stopped") log.debug(event.message);
  else log.warn({ event: event.kind }, event.message);
  if (event.kind !== "runtime.culprit" || !event.suspects?.[0]) return;
  platform.quarantine(event.suspects[0], event.message).catch((error: unknown) => {
    log.error({ err: reportOf(error) }, "the quarantine could not be published");
  });
}
