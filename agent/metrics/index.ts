// `GET /metrics`: counts what happens in the agent and reads the rest when it is asked for. Invariant: an answer comes within a
// bounded time, whatever the runtime does; counters go back only with the agent's own restart.

import type { D1Stats } from "../../runtime/d1/wire.js";
import type { RuntimeCounts } from "../../runtime/wire.js";
import type { PassReport } from "../model.js";
import { METRICS } from "./catalogue.js";
import { createDatabaseTotals } from "./databases.js";
import { type Exposition, expose, type Format } from "./exposition.js";
import { createFunctionTotals } from "./functions.js";
import { createOccurrences } from "./passes.js";
import { driftFamily, type FunctionReading, type SourceReading, sourceFamilies } from "./sources.js";

export { type Exposition, FORMATS, type Format } from "./exposition.js";
export type { FunctionReading, SourceReading } from "./sources.js";

export interface Metrics {
  passed(report: PassReport): void;
  /** A call of a webhook; both are of closed lists. */
  webhook(provider: string, result: string): void;
  /** An attempt to tell others; both are of closed lists. */
  notified(kind: string, result: string, times?: number): void;
  /** What happened in databases since the call before. */
  queried(stats: D1Stats): void;
  scrape(format: Format): Promise<Exposition>;
  /** To be called now and then: what a process has counted since is lost when it ends. Never rejects. */
  look(): Promise<void>;
}

export interface MetricsOptions {
  build: { version: string; node: string; workerd: string };
  sources(): SourceReading[];
  functions(): FunctionReading;
  /** Deployments since the agent started, by cause. */
  deployments(): Record<string, number>;
  /** What each process of the runtime has counted since its start. */
  counts(timeout: number): Promise<RuntimeCounts[]>;
  /** Brings in what happened in databases, by `queried`. */
  drain(): Promise<unknown>;
  restarts(): Record<string, number>;
  now?: () => number;
  /** Milliseconds that the runtime has to answer. */
  patience?: number;
}

const PATIENCE = 1_000;

export function openMetrics(options: MetricsOptions): Metrics {
  const { now = Date.now, patience = PATIENCE } = options;
  const occurrences = createOccurrences();
  const databases = createDatabaseTotals();
  const functions = createFunctionTotals();
  let refreshing: Promise<unknown> | undefined;
  const refresh = () => {
    refreshing ??= Promise.all([options.counts(patience).then(functions.add), options.drain()]).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };
  return {
    passed: occurrences.passed,
    webhook: occurrences.webhook,
    notified: occurrences.notified,
    queried: databases.add,
    look: () => refresh().then(noop, noop),
    async scrape(format) {
      const isUp = await isDoneWithin(refresh(), patience);
      const reading = options.functions();
      const families = [
        { definition: METRICS.build, samples: [{ labels: options.build, value: 1 }] },
        ...(await occurrences.families()),
        ...sourceFamilies(options.sources(), now()),
        { definition: METRICS.deployments, samples: samplesBy("cause", options.deployments()) },
        driftFamily(reading.drift),
        { definition: METRICS.runtimeUp, samples: [{ value: isUp ? 1 : 0 }] },
        { definition: METRICS.restarts, samples: samplesBy("reason", options.restarts()) },
        ...functions.families({ names: reading.names, isUp }),
        ...databases.families(),
      ];
      return expose(families, format);
    },
  };
}

const noop = () => undefined;

function samplesBy(label: string, counts: Record<string, number>) {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

/** Whether it was fulfilled in time. */
async function isDoneWithin(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}
