// `GET /metrics`: counts what happens in the agent and reads the rest when it is asked for. Invariant: an answer comes within a
// bounded time, whatever the runtime does; counters go back only with the agent's own restart.

import type { D1Stats } from "../../runtime/d1/wire.js";
import type { FunctionState, PassReport } from "../model.js";
import { METRICS } from "./catalogue.js";
import { createDatabaseTotals } from "./databases.js";
import { type Exposition, expose, type Family, type Format } from "./exposition.js";
import { createOccurrences } from "./passes.js";
import { driftFamily, type SourceReading, sourceFamilies } from "./sources.js";

export { type Exposition, FORMATS, type Format } from "./exposition.js";
export type { SourceReading } from "./sources.js";

export interface Metrics {
  passed(report: PassReport): void;
  /** A call of a webhook; both are of closed lists. */
  webhook(provider: string, result: string): void;
  /** What happened in databases since the call before. */
  queried(stats: D1Stats): void;
  scrape(format: Format): Promise<Exposition>;
}

export interface MetricsOptions {
  build: { version: string; node: string; workerd: string };
  sources(): SourceReading[];
  /** Of the functions that sources declare. */
  states(): FunctionState[];
  /** Deployments since the agent started, by cause. */
  deployments(): Record<string, number>;
  /** Brings the numbers of the runtime up to date. */
  refresh(): Promise<unknown>;
  runtime(): { isolates: number; restarts: Record<string, number> };
  now?: () => number;
  /** Milliseconds that the runtime has to answer. */
  patience?: number;
}

const PATIENCE = 1_000;

export function openMetrics(options: MetricsOptions): Metrics {
  const { now = Date.now, patience = PATIENCE } = options;
  const occurrences = createOccurrences();
  const databases = createDatabaseTotals();
  let refreshing: Promise<unknown> | undefined;
  const refresh = () => {
    refreshing ??= options.refresh().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };
  return {
    passed: occurrences.passed,
    webhook: occurrences.webhook,
    queried: databases.add,
    async scrape(format) {
      const isUp = await isDoneWithin(refresh(), patience);
      const families = [
        { definition: METRICS.build, samples: [{ labels: options.build, value: 1 }] },
        ...(await occurrences.families()),
        ...sourceFamilies(options.sources(), now()),
        { definition: METRICS.deployments, samples: samplesBy("cause", options.deployments()) },
        driftFamily(options.states()),
        ...runtimeFamilies(options.runtime(), isUp),
        ...databases.families(),
      ];
      return expose(families, format);
    },
  };
}

function runtimeFamilies({ isolates, restarts }: ReturnType<MetricsOptions["runtime"]>, isUp: boolean): Family[] {
  return [
    { definition: METRICS.runtimeUp, samples: [{ value: isUp ? 1 : 0 }] },
    { definition: METRICS.restarts, samples: samplesBy("reason", restarts) },
    { definition: METRICS.isolates, samples: isUp ? [{ value: isolates }] : [] },
  ];
}

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
