// Metrics over readings that a test sets.
import { type Metrics, type MetricsOptions, openMetrics } from "./index.js";

export function openTestMetrics(readings: Partial<MetricsOptions> = {}): Metrics {
  return openMetrics({
    build: { version: "1.2.3", node: "20.19.0", workerd: "1.20261117.1" },
    sources: () => [{ name: "default", lastFetch: 1_000_000, revisionAt: 900_000 }],
    states: () => ["ready", "ready", "pinned"],
    deployments: () => ({ push: 2 }),
    refresh: async () => undefined,
    runtime: () => ({ isolates: 2, restarts: { crash: 0, hang: 1, "long-call": 0, memory: 0 } }),
    now: () => 1_060_000,
    ...readings,
  });
}
