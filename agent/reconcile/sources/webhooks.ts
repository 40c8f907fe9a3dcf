// Secrets of webhooks: one for each source and provider, sealed at rest, made here, answered to who may set a hook up.
import { randomBytes } from "node:crypto";
import { WrkstError } from "../../errors.js";
import type { Actor } from "../../model.js";
import type { Sealing } from "../../secrets/sealing.js";
import type { Registry } from "../../store/index.js";
import type { Sources } from "../sources.js";
import { sealingOwner } from "./credentials.js";
import type { Roster } from "./roster.js";
import { FIRST_SOURCE } from "./settings.js";

export interface WebhookSecrets extends Pick<Sources, "webhook" | "webhookSecret"> {
  /** Providers whose webhook has a secret. */
  providers(source: string): string[];
}

export interface WebhookSecretsDeps {
  registry: Pick<Registry, "webhookSecrets" | "saveWebhookSecret">;
  sealing: Sealing;
  roster: Roster;
  /** WEBHOOK_SECRET: of all providers of the source of the environment that have none of their own. */
  secretOfEnvironment: string | undefined;
  publicUrl(): string;
}

const PROVIDER = /^[a-z][a-z0-9-]{1,30}$/;

export function createWebhookSecrets(deps: WebhookSecretsDeps): WebhookSecrets {
  const { registry, sealing, roster } = deps;

  function webhookSecret(source: string, provider: string): string | undefined {
    const sealed = registry.webhookSecrets(source)[provider];
    if (sealed !== undefined)
      return sealing.open(sealingOwner(source), { [nameOf(provider)]: sealed })[nameOf(provider)];
    return source === FIRST_SOURCE ? deps.secretOfEnvironment : undefined;
  }

  const isOfEnvironment = (source: string, provider: string) =>
    source === FIRST_SOURCE && Boolean(deps.secretOfEnvironment) && !registry.webhookSecrets(source)[provider];

  function make(source: string, provider: string): string {
    // As Standard Webhooks and GitLab want it; to all others it is a text like any.
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    const sealed = sealing.seal(sealingOwner(source), { [nameOf(provider)]: secret });
    registry.saveWebhookSecret(source, provider, sealed[nameOf(provider)]!);
    return secret;
  }

  async function webhook(source: string, provider: string, { rotate }: { rotate: boolean }, by: Actor) {
    roster.expect(source);
    if (!PROVIDER.test(provider)) throw new WrkstError("ERR_INVALID", "expected the name of a provider");
    const url = `${deps.publicUrl()}/webhooks/${source}/${provider}`;
    if (rotate && isOfEnvironment(source, provider)) throw ofEnvironment(source);
    const known = rotate ? undefined : webhookSecret(source, provider);
    if (known !== undefined) return { url, secret: known, created: false };
    const secret = make(source, provider);
    const message = `a secret for the ${provider} webhook of the source "${source}" was made by ${by.name}`;
    roster.note(source, { kind: "source.webhook-made", message, actor: by });
    return { url, secret, created: true };
  }

  return { webhook, webhookSecret, providers: (source) => Object.keys(registry.webhookSecrets(source)) };
}

function ofEnvironment(source: string): WrkstError {
  return new WrkstError("ERR_CONFLICT", `the secret of the webhooks of source "${source}" is that of the environment`, {
    hint: "set WEBHOOK_SECRET, e.g. to what `openssl rand -hex 32` prints, and start again",
  });
}

const nameOf = (provider: string) => `webhook ${provider}`;
