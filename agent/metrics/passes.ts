// Counts passes and webhooks as they end.

import { Counter, Histogram } from "prom-client";
import type { PassReport } from "../model.js";
import { type Definition, METRICS } from "./catalogue.js";
import type { Family, Sample } from "./exposition.js";

export interface Occurrences {
  passed(report: PassReport): void;
  /** Both of closed lists. */
  webhook(provider: string, result: string): void;
  /** An attempt to tell others; both of closed lists. */
  notified(kind: string, result: string, times?: number): void;
  families(): Promise<Family[]>;
}

/** Seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createOccurrences(): Occurrences {
  const pushToLive = new Histogram({ ...configurationOf(METRICS.pushToLive), buckets: BUCKETS });
  const passes = new Counter(configurationOf(METRICS.passes));
  const webhooks = new Counter(configurationOf(METRICS.webhooks));
  const notifications = new Counter(configurationOf(METRICS.notifications));
  return {
    passed({ source, result, phases, milliseconds }) {
      passes.inc({ source, result });
      if (result !== "switched") return;
      for (const [phase, took] of Object.entries({ ...phases, total: milliseconds })) {
        pushToLive.observe({ source, phase }, took / 1000);
      }
    },
    webhook(provider, result) {
      webhooks.inc({ provider, result });
    },
    notified(kind, result, times = 1) {
      notifications.inc({ kind, result }, times);
    },
    families: async () => [
      { definition: METRICS.pushToLive, samples: (await pushToLive.get()).values as Sample[] },
      { definition: METRICS.passes, samples: (await passes.get()).values as Sample[] },
      { definition: METRICS.webhooks, samples: (await webhooks.get()).values as Sample[] },
      { definition: METRICS.notifications, samples: (await notifications.get()).values as Sample[] },
    ],
  };
}

function configurationOf({ name, help, labels }: Definition) {
  return { name, help, labelNames: [...labels], registers: [] };
}
