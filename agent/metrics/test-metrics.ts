// Metrics over readings that a test sets.
import type { RuntimeCounts } from "../../runtime/wire.js";
import { type Metrics, type MetricsOptions, openMetrics } from "./index.js";

export function openTestMetrics(readings: Partial<MetricsOptions> = {}): Metrics {
  return openMetrics({
    build: { version: "1.2.3", node: "20.19.0", workerd: "1.20261117.1" },
    sources: () => [{ name: "default", lastFetch: 1_000_000, revisionAt: 900_000 }],
    functions: () => ({ names: new Set(["hello"]), drift: { pinned: 1 } }),
    deployments: () => ({ push: 2 }),
    counts: async () => [processCounts()],
    drain: async () => undefined,
    restarts: () => ({ crash: 0, hang: 1, "long-call": 0, memory: 0 }),
    now: () => 1_060_000,
    ...readings,
  });
}

export function processCounts(more: Partial<RuntimeCounts> = {}): RuntimeCounts {
  const none = { functions: {}, buckets: [], milliseconds: 0 };
  return { process: "first", isolates: 2, evictions: 1, coldLoads: 3, ...none, ...more };
}
