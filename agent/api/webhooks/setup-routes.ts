// Setting up webhooks: which have a secret, and the secret of one, for who pastes it into the forge.

import { z } from "zod";
import { WrkstError } from "../../errors.js";
import type { Sources } from "../../reconcile/sources.js";
import type { Platform } from "../platform.js";
import { parseName } from "../requests.js";
import type { Routes } from "../routes.js";
import { PROVIDER_NAMES, type ProviderName, providerOf } from "./providers.js";

const RULE = { action: "admin", of: "main" } as const;
const rotation = z.strictObject({ rotate: z.boolean().default(false) });

export interface WebhookSetupDeps {
  platform: Pick<Platform, "sources">;
  secrets: Pick<Sources, "webhook" | "webhookSecret">;
  /** Origin without trailing slash. */
  publicUrl: () => string;
}

/** What `GET` answers of each provider. */
interface WebhookState {
  provider: ProviderName;
  url: string;
  /** Whether deliveries can be right; null for who brings a token of CI in place of a secret. */
  isSet: boolean | null;
}

export function addWebhookSetupRoutes(routes: Routes, { platform, secrets, publicUrl }: WebhookSetupDeps): void {
  const find = (raw: string | undefined) => {
    const name = parseName(raw);
    if (platform.sources().some((source) => source.name === name)) return name;
    throw new WrkstError("ERR_NOT_FOUND", `there is no source "${name}"`, { hint: "see: wrkst status" });
  };
  const urlOf = (source: string, provider: string) => `${publicUrl()}/webhooks/${source}/${provider}`;
  routes.add(
    {
      ...{ method: "GET", path: "/api/v1/sources/:source/webhooks", rule: RULE },
      summary: "Webhooks of a source, and which have a secret",
    },
    ({ params }) => {
      const source = find(params.source);
      const webhooks = PROVIDER_NAMES.map((provider): WebhookState => {
        const isSet = hasSecret(provider) ? secrets.webhookSecret(source, provider) !== undefined : null;
        return { provider, url: urlOf(source, provider), isSet };
      });
      return { webhooks };
    },
  );
  routes.add(
    {
      ...{ method: "POST", path: "/api/v1/sources/:source/webhooks/:provider", rule: RULE, body: rotation },
      ...{ secret: true, summary: "Address and secret of a webhook; the secret is made at the first call" },
    },
    async ({ params, body, actor }) => {
      const [source, provider] = [find(params.source), expectProvider(params.provider)];
      const base = { source, provider, url: urlOf(source, provider) };
      if (!hasSecret(provider)) return { ...base, secret: null, created: false };
      const { secret, created } = await secrets.webhook(source, provider, { rotate: body.rotate }, actor);
      return { ...base, secret, created };
    },
  );
}

function hasSecret(provider: ProviderName): boolean {
  return providerOf(provider)?.proof.kind === "secret";
}

function expectProvider(raw: string | undefined): ProviderName {
  const known = PROVIDER_NAMES.find((name) => name === raw);
  if (known) return known;
  throw new WrkstError("ERR_NOT_FOUND", `there is no webhook for "${raw}": expected ${PROVIDER_NAMES.join(", ")}`);
}
