// Wires the metrics: what they read of the registry, the platform and the runtime when somebody asks.
import workerdPackage from "workerd";
import { type Metrics, openMetrics } from "./metrics/index.js";
import { countDrift } from "./plan/drift.js";
import type { Platform } from "./reconcile/platform.js";
import type { Runtime } from "./runtime/runtime.js";
import type { FunctionRecord, Registry } from "./store/index.js";
import { VERSION } from "./version.js";

/** Milliseconds between two looks at what the runtime has counted. */
const LOOK_INTERVAL = 15_000;

export interface AgentMetrics extends Metrics {
  close(): void;
}

export interface AgentMetricsOptions {
  registry: Pick<Registry, "lastRevision" | "functions" | "deploymentsAfter">;
  runtime: Pick<Runtime, "counts" | "restarts">;
  platform: () => Pick<Platform, "sources">;
  /** Brings the numbers of databases in. Never rejects. */
  drain: () => Promise<void>;
}

export function openAgentMetrics({ registry, runtime, platform, drain }: AgentMetricsOptions): AgentMetrics {
  let seen = registry.deploymentsAfter(null).last;
  const deployments: Record<string, number> = {};
  const metrics = openMetrics({
    build: { version: VERSION, node: process.versions.node, workerd: workerdPackage.version },
    sources: () =>
      platform()
        .sources()
        .map(({ name, lastFetch }) => ({
          name,
          lastFetch: lastFetch === null ? null : Date.parse(lastFetch),
          revisionAt: registry.lastRevision(name)?.at ?? null,
        })),
    functions() {
      const records = registry.functions();
      return { names: new Set(records.map(({ name }) => name)), drift: countDrift(records.map(stateOf)) };
    },
    deployments() {
      const { last, causes } = registry.deploymentsAfter(seen);
      seen = last;
      for (const [cause, count] of Object.entries(causes)) deployments[cause] = (deployments[cause] ?? 0) + count;
      return deployments;
    },
    counts: (timeout) => runtime.counts(timeout),
    drain,
    restarts: () => runtime.restarts(),
  });
  const looking = setInterval(metrics.look, LOOK_INTERVAL);
  looking.unref();
  return { ...metrics, close: () => clearInterval(looking) };
}

const stateOf = ({ state, source }: FunctionRecord) => ({ state, source });
