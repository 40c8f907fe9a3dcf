// Wires what tells others: what it reads of the registry, where it may send to, what it counts.
import type { ProcessConfig } from "./config.js";
import type { Log } from "./log.js";
import type { Metrics } from "./metrics/index.js";
import type { FollowedSources } from "./reconcile/sources/index.js";
import { openable } from "./reconcile/telling/commit-words.js";
import { createTelling, type RunningTelling } from "./reconcile/telling/index.js";
import type { Sealing } from "./secrets/sealing.js";
import { isPublic } from "./source/hosts.js";
import type { Registry } from "./store/index.js";

export interface AgentNotifyOptions {
  config: ProcessConfig;
  log: Log;
  registry: Registry;
  sealing: Sealing;
  metrics: Pick<Metrics, "notified">;
  sources: () => Pick<FollowedSources, "find" | "sync">;
  /** Origin without trailing slash. */
  publicUrl: () => string;
  urlOf(name: string): string;
}

export function openAgentNotify(options: AgentNotifyOptions): RunningTelling {
  const { config, log, registry, sealing, metrics, sources, publicUrl, urlOf } = options;
  return createTelling({
    ...{ registry, sealing, log, isPublic },
    allowed: config.notifyAllowHosts,
    publicUrl: () => openable(publicUrl()),
    functionPage: (name) => openable(urlOf(name)),
    accountOf: (source) => sources().find(source)?.settings.account,
    lookAt: (source) =>
      void sources()
        .sync(source, { wait: false, force: true })
        .catch((error: unknown) => log.debug({ source, err: error }, "not looked at anew")),
    count: metrics.notified,
    now: Date.now,
  });
}
