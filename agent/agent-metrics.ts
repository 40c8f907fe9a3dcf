// Wires the metrics: what they read of the registry, the platform and the runtime when somebody asks.
import workerdPackage from "workerd";
import { type Metrics, openMetrics } from "./metrics/index.js";
import type { Platform } from "./reconcile/platform.js";
import type { Runtime } from "./runtime/runtime.js";
import type { Registry } from "./store/index.js";
import { VERSION } from "./version.js";

export interface AgentMetricsOptions {
  registry: Pick<Registry, "lastRevision" | "functions" | "deploymentsAfter">;
  runtime: Pick<Runtime, "status" | "state" | "isRunning" | "restarts">;
  platform: () => Pick<Platform, "sources">;
  /** Brings the numbers of databases in. Never rejects. */
  drain: () => Promise<void>;
}

export function openAgentMetrics({ registry, runtime, platform, drain }: AgentMetricsOptions): Metrics {
  let seen = registry.deploymentsAfter(null).last;
  const deployments: Record<string, number> = {};
  return openMetrics({
    build: { version: VERSION, node: process.versions.node, workerd: workerdPackage.version },
    sources: () =>
      platform()
        .sources()
        .map(({ name, lastFetch }) => ({
          name,
          lastFetch: lastFetch === null ? null : Date.parse(lastFetch),
          revisionAt: registry.lastRevision(name)?.at ?? null,
        })),
    states: () =>
      registry
        .functions()
        .filter(({ source }) => source !== null)
        .map(({ state }) => state),
    deployments() {
      const { last, causes } = registry.deploymentsAfter(seen);
      seen = last;
      for (const [cause, count] of Object.entries(causes)) deployments[cause] = (deployments[cause] ?? 0) + count;
      return deployments;
    },
    async refresh() {
      if (!runtime.isRunning()) throw new TypeError("the runtime is not running");
      await Promise.all([runtime.state(), drain()]);
    },
    runtime: () => ({ isolates: runtime.status().isolates, restarts: runtime.restarts() }),
  });
}
