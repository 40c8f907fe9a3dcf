// `GET /metrics`, for Prometheus. Only for administrators' credentials: the numbers name the functions of all accounts.

import { type Exposition, FORMATS, type Format } from "../metrics/index.js";
import type { Routes } from "./routes.js";

export interface MetricsDeps {
  scrape(format: Format): Promise<Exposition>;
}

export function addMetricsRoute(routes: Routes, { scrape }: MetricsDeps): void {
  const rule = { action: "metrics", of: "main" } as const;
  routes.add({ method: "GET", path: "/metrics", rule, summary: "Numbers of the platform" }, async ({ req, res }) => {
    const { contentType, text } = await scrape((req.accepts([...FORMATS]) || FORMATS[0]) as Format);
    res.type(contentType).send(text);
  });
}
