// GitHub's webhooks. Pure.
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

import { z } from "zod";
import { WrkstError } from "../../errors.js";
import {
  announced,
  COMMIT,
  contentTypeOf,
  eventIn,
  headerOf,
  hexSignature,
  type OpenVerifier,
  type Provider,
  parsePayload,
  parseText,
  REF,
  requiredIdIn,
} from "./provider.js";

const PUSH = z.object({
  ref: REF,
  after: COMMIT,
  deleted: z.boolean().optional(),
  head_commit: z.object({ id: COMMIT }).nullish(),
});

const newer = hexSignature("X-Hub-Signature-256", "sha256=");

const verifier: OpenVerifier = (headers, secret, now) => {
  if (headerOf(headers, "X-Hub-Signature-256") === undefined && headerOf(headers, "X-Hub-Signature") !== undefined) {
    throw new WrkstError(
      "ERR_WEBHOOK_SIGNATURE",
      'expected "X-Hub-Signature-256: sha256=<64 hex>", received only the SHA-1 header',
    );
  }
  return newer(headers, secret, now);
};

export const github: Provider = {
  proof: { kind: "secret", verifier },
  delivery(headers) {
    const event = eventIn(headers, "X-GitHub-Event");
    const kind = event === "push" || event === "ping" ? event : "other";
    return { id: requiredIdIn(headers, ["X-GitHub-Delivery"]), event, kind };
  },
  /** JSON, or a form whose field `payload` holds it. */
  pushes(body, { headers }) {
    const isForm = contentTypeOf(headers) === "application/x-www-form-urlencoded";
    const push = isForm ? parseText(PUSH, payloadOf(body)) : parsePayload(PUSH, body, headers);
    // Of an annotated tag `after` is the tag itself, not the commit.
    const commit = push.deleted ? undefined : announced(push.after) && (push.head_commit?.id ?? push.after);
    return [{ ref: push.ref, commit }];
  },
};

function payloadOf(form: Buffer): string {
  const payload = new URLSearchParams(form.toString("utf8")).get("payload");
  if (payload !== null) return payload;
  throw new WrkstError("ERR_INVALID", 'expected a form with a field "payload"');
}
