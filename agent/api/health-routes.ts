// Whether the processes answer, and whether they are ready. Open: they tell nothing else.

import type { Platform } from "./platform.js";
import { Reply, type Routes } from "./routes.js";

/** Never refused, however often somebody asks: whoever watches the platform must not take it for dead. */
export const HEALTH: ReadonlySet<string> = new Set(["/health", "/healthz", "/readyz"]);

export function addHealthRoutes(routes: Routes, { platform }: { platform: Platform }): void {
  routes.add({ method: "GET", path: "/health", rule: "open", summary: "Whether the agent answers" }, () => ({
    status: "healthy",
  }));
  routes.add({ method: "GET", path: "/healthz", rule: "open", summary: "Whether the processes answer" }, () => {
    const { state, restarts } = platform.runtime();
    return { status: state === "running" ? "healthy" : "degraded", runtime: { state, restarts } };
  });
  routes.add({ method: "GET", path: "/readyz", rule: "open", summary: "Whether the platform is ready" }, () => {
    const answer = platform.ready();
    return new Reply(answer, { status: answer.ready ? 200 : 503 });
  });
}
