// Secrets of the webhooks of the source that the environment describes: WEBHOOK_SECRET, for every provider. Pure.

import { WrkstError } from "../../errors.js";
import type { Sources } from "../../reconcile/sources.js";

export const SOURCE_OF_ENVIRONMENT = "default";

/** What the setup of webhooks asks for. */
export type WebhookSecrets = Pick<Sources, "webhook" | "webhookSecret">;

export function secretsOfEnvironment(secret: string | undefined, publicUrl: () => string): WebhookSecrets {
  const webhookSecret = (source: string) => (source === SOURCE_OF_ENVIRONMENT ? secret : undefined);
  return {
    webhookSecret,
    async webhook(source, provider, { rotate }) {
      const known = webhookSecret(source);
      if (known && !rotate)
        return { url: `${publicUrl()}/webhooks/${source}/${provider}`, secret: known, created: false };
      throw new WrkstError(
        "ERR_CONFLICT",
        `the secret of the webhooks of source "${source}" is that of the environment`,
        {
          hint: "set WEBHOOK_SECRET, e.g. to what `openssl rand -hex 32` prints, and start again",
        },
      );
    },
  };
}
