// Sums of what happened in databases since the agent started. Never names one: there may be thousands.

import { D1_BUCKETS, type D1Stats } from "../../runtime/d1/wire.js";
import { METRICS } from "./catalogue.js";
import { type Family, histogramSamples } from "./exposition.js";

export interface DatabaseTotals {
  /** What happened since the call before. */
  add(stats: D1Stats): void;
  families(): Family[];
}

export function createDatabaseTotals(): DatabaseTotals {
  const counts = new Array<number>(D1_BUCKETS.length + 1).fill(0);
  let [queries, errors, milliseconds] = [0, 0, 0];
  return {
    add({ objects }) {
      for (const stats of Object.values(objects)) {
        queries += stats.queries;
        errors += stats.errors;
        milliseconds += stats.milliseconds;
        for (const index of counts.keys()) counts[index]! += stats.buckets[index] ?? 0;
      }
    },
    families() {
      const bounds = D1_BUCKETS.map((bound) => bound / 1000);
      const { databaseSeconds: definition } = METRICS;
      return [
        { definition: METRICS.databaseQueries, samples: [{ value: queries }] },
        { definition: METRICS.databaseErrors, samples: [{ value: errors }] },
        { definition, samples: histogramSamples(definition, { bounds, counts, sum: milliseconds / 1000 }) },
      ];
    },
  };
}
