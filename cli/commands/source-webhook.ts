// `wrkst source webhook`: the address and the secret of a webhook, and where they go.

import { type Command, InvalidArgumentError } from "commander";
import type { Io } from "../io.js";
import { type Common, openSession } from "../session.js";
import { formatPairs } from "../table.js";
import { PLACES, says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";

interface Webhook {
  source: string;
  provider: string;
  url: string;
  /** null where none is needed. */
  secret: string | null;
  created: boolean;
}

interface WebhookOptions extends Common {
  source: string;
  rotate?: boolean;
}

/** Below the command `source`. */
export function addSourceWebhook(program: Command, io: Io): void {
  addAsking(program, "source webhook")
    .argument("<provider>", TEXT.provider, parseProvider)
    .option("--source <name>", TEXT.source, "default")
    .option("--rotate", TEXT.rotate)
    .action(async (provider: keyof typeof PLACES, { source, rotate = false, ...options }: WebhookOptions) => {
      const { client, print, say } = openSession(options, io);
      const path = `/api/v1/sources/${encodeURIComponent(source)}/webhooks/${provider}`;
      const webhook = await client.ask<Webhook>("POST", path, { body: { rotate } });
      if (webhook.created) say(says.webhookMade(rotate));
      print(webhook, viewWebhook(webhook, provider));
    });
}

function parseProvider(raw: string): string {
  if (Object.hasOwn(PLACES, raw)) return raw;
  throw new InvalidArgumentError(`expected ${Object.keys(PLACES).join(", ")}.`);
}

function viewWebhook({ url, secret }: Webhook, provider: keyof typeof PLACES): string {
  const { where, fields, contentType } = PLACES[provider];
  return formatPairs([
    ["url", url],
    ["secret", secret],
    ["signing", provider === "gitlab" || provider === "standard" ? signingTokenOf(secret) : undefined],
    ["where", where],
    ["fields", fields],
    ["content type", contentType],
  ]);
}

/** The secret as Standard Webhooks want it, where it is not in that form already. */
function signingTokenOf(secret: string | null): string | undefined {
  if (secret === null || secret.startsWith("whsec_")) return undefined;
  return `whsec_${Buffer.from(secret, "utf8").toString("base64")}`;
}
