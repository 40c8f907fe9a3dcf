// From numbers to the text that Prometheus reads, by prom-client. Invariant: nothing of an answer outlives it, so that the two
// formats, which name counters differently, never meet.

import { type OpenMetricsContentType, type PrometheusContentType, Registry } from "prom-client";
import type { Definition } from "./catalogue.js";

export interface Sample {
  labels?: Record<string, string | number>;
  value: number;
  /** Of a histogram: its own name and `_bucket`, `_sum` or `_count`. */
  metricName?: string;
}

/** One metric with its present values. */
export interface Family {
  definition: Definition;
  samples: Sample[];
}

/** What may be asked for by `Accept`; the first where nothing is. */
export const FORMATS = ["text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"] as const;
export type Format = (typeof FORMATS)[number];

export interface Exposition {
  contentType: string;
  text: string;
}

export async function expose(families: Family[], format: Format): Promise<Exposition> {
  const registry = new Registry<PrometheusContentType | OpenMetricsContentType>();
  if (format === FORMATS[1]) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const family of families) registry.registerMetric(metricOf(family));
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** All that the registry asks of a metric; it takes `_total` off `name` where its format wants that. */
function metricOf({ definition: { name, type, help }, samples }: Family) {
  const metric = { name, type, get: async () => ({ name: metric.name, help, type, values: samples }) };
  return metric as unknown as Parameters<Registry["registerMetric"]>[0];
}

/**
 * A histogram whose values were counted elsewhere.
 *
 * @param counts how many were at most `bounds[i]` and above the bound before; the last one had no bound
 */
export function histogramSamples(
  { name }: Definition,
  { bounds, counts, sum }: { bounds: readonly number[]; counts: readonly number[]; sum: number },
): Sample[] {
  let seen = 0;
  const buckets = [...bounds, "+Inf"].map((le, index): Sample => {
    seen += counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le }, value: seen };
  });
  return [...buckets, { metricName: `${name}_sum`, value: sum }, { metricName: `${name}_count`, value: seen }];
}
