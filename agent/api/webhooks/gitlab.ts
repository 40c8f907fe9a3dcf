// GitLab's webhooks: its secret token, or the newer signing token. Pure.
// https://docs.gitlab.com/user/project/integrations/webhooks/

import { createHash } from "node:crypto";
import { z } from "zod";
import { isSameSecret } from "../../constant-time.js";
import {
  announced,
  COMMIT,
  eventIn,
  headerOf,
  idIn,
  missingProof,
  type OpenVerifier,
  type Provider,
  parsePayload,
  REF,
} from "./provider.js";
import { verifyStandard } from "./standard.js";

/** `checkout_sha` is the commit, also of an annotated tag; null when the reference was deleted. */
const PUSH = z.object({
  object_kind: z.enum(["push", "tag_push"]),
  ref: REF,
  after: COMMIT,
  checkout_sha: COMMIT.nullish(),
});

/** A signature that is there must be right, whatever the token says. */
const verifier: OpenVerifier = (headers, secret, now) => {
  if (headers["webhook-signature"] !== undefined) return verifyStandard(headers, secret, now);
  const token = headerOf(headers, "X-Gitlab-Token");
  if (!token) throw missingProof('"X-Gitlab-Token", or a "webhook-signature"', token);
  return { update: () => undefined, isRight: () => isSameSecret(digestOf(token), digestOf(secret)) };
};

const digestOf = (text: string) => createHash("sha256").update(text).digest();

export const gitlab: Provider = {
  proof: { kind: "secret", verifier },
  delivery(headers) {
    const event = eventIn(headers, "X-Gitlab-Event");
    const kind = event === "Push Hook" || event === "Tag Push Hook" ? "push" : "other";
    return { id: idIn(headers, ["webhook-id", "Idempotency-Key", "X-Gitlab-Webhook-UUID"]), event, kind };
  },
  pushes(body, { headers }) {
    const { ref, after, checkout_sha } = parsePayload(PUSH, body, headers);
    return [{ ref, commit: announced(after) && (checkout_sha ?? after) }];
  },
};
