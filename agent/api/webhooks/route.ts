// The route of webhooks: open, since a webhook brings a signature instead of a credential.

import { jobReply } from "../platform-routes.js";
import { QUERY } from "../requests.js";
import type { Routes } from "../routes.js";
import type { Webhooks } from "./receive.js";

export function addWebhookRoute(routes: Routes, webhooks: Webhooks): void {
  const path = "/webhooks/:source/:provider";
  const summary = "A forge says that something was pushed";
  const spec = { path, method: "POST", rule: "open", query: QUERY.wait, streams: true, summary } as const;
  routes.add(spec, async ({ req, params, query, client, signal }) => {
    const { source = "", provider = "" } = params;
    const outcome = await webhooks(req, { source, provider, wait: query.wait, address: client.address, signal });
    if (outcome.result === "accepted") return jobReply(outcome.job);
    return outcome.result === "done" ? outcome.report : outcome;
  });
}
