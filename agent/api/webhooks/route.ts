// The route of webhooks: open, since a webhook brings a signature instead of a credential. Every call is counted here.

import { behaviourOf, WrkstError } from "../../errors.js";
import type { Metrics } from "../../metrics/index.js";
import { jobReply } from "../platform-routes.js";
import { QUERY } from "../requests.js";
import type { Routes } from "../routes.js";
import { providerOf } from "./providers.js";
import type { Webhooks } from "./receive.js";

export function addWebhookRoute(routes: Routes, webhooks: Webhooks, metrics: Pick<Metrics, "webhook">): void {
  const path = "/webhooks/:source/:provider";
  const summary = "A forge says that something was pushed";
  const spec = { path, method: "POST", rule: "open", query: QUERY.wait, streams: true, summary } as const;
  const counted = countedBy(metrics, webhooks);
  routes.add(spec, async ({ req, params, query, client, signal }) => {
    const { source = "", provider = "" } = params;
    const outcome = await counted(req, { source, provider, wait: query.wait, address: client.address, signal });
    if (outcome.result === "accepted") return jobReply(outcome.job);
    return outcome.result === "done" ? outcome.report : outcome;
  });
}

function countedBy(metrics: Pick<Metrics, "webhook">, webhooks: Webhooks): Webhooks {
  return async (req, call) => {
    // The path is the caller's word: what is no provider is nobody's.
    const provider = providerOf(call.provider) ? call.provider : "_other";
    try {
      const outcome = await webhooks(req, call);
      metrics.webhook(provider, outcome.result);
      return outcome;
    } catch (error) {
      metrics.webhook(provider, wordFor(error));
      throw error;
    }
  };
}

function wordFor(error: unknown): "unknown" | "unsigned" | "refused" | "failed" {
  const code = error instanceof WrkstError ? error.code : "ERR_INTERNAL";
  if (code === "ERR_NOT_FOUND") return "unknown";
  if (code === "ERR_WEBHOOK_SIGNATURE") return "unsigned";
  return behaviourOf(code).status < 500 ? "refused" : "failed";
}
