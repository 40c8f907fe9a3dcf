// Standard Webhooks: id, time and body are signed together. Pure.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

import { createHmac } from "node:crypto";
import { isSameSecret } from "../../constant-time.js";
import { WrkstError } from "../../errors.js";
import { generic } from "./generic.js";
import { headerOf, missingProof, type OpenVerifier, type Provider, requiredIdIn } from "./provider.js";

/** Milliseconds that the clocks of the two sides may differ. */
const MAX_SKEW = 5 * 60_000;
const MOST_SIGNATURES = 10;
const EXPECTED = '"webhook-id", "webhook-timestamp" and "webhook-signature: v1,<base64>"';

/** @throws WrkstError ERR_WEBHOOK_SIGNATURE */
export const verifyStandard: OpenVerifier = (headers, secret, now) => {
  const id = headerOf(headers, "webhook-id") ?? "";
  const timestamp = headerOf(headers, "webhook-timestamp") ?? "";
  const raw = headerOf(headers, "webhook-signature");
  const signatures = signaturesIn(raw ?? "");
  // A dot in an id could be taken for the one before the time.
  if (!/^[\w-]{1,200}$/.test(id) || !/^\d{1,12}$/.test(timestamp) || !signatures.length) {
    throw missingProof(EXPECTED, raw);
  }
  if (Math.abs(now - Number(timestamp) * 1000) > MAX_SKEW) {
    throw new WrkstError("ERR_WEBHOOK_SIGNATURE", "expected a webhook-timestamp within five minutes of the time here", {
      hint: "compare the clocks of both machines",
    });
  }
  const hmac = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`);
  return {
    update: (chunk) => void hmac.update(chunk),
    isRight() {
      const digest = hmac.digest();
      return signatures.filter((signature) => isSameSecret(digest, signature)).length > 0;
    },
  };
};

/** Several when the sender is changing its secret; other versions than `v1` need keys that we do not have. */
function signaturesIn(raw: string): Buffer[] {
  return raw
    .split(" ", MOST_SIGNATURES)
    .filter((one) => /^v1,[A-Za-z0-9+/]{43}=$/.test(one))
    .map((one) => Buffer.from(one.slice(3), "base64"));
}

/** `whsec_<base64>` is a key in base64; any other secret is the key itself. */
function keyOf(secret: string): Buffer {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]{8,}={0,2})$/.exec(secret) ?? [];
  return encoded === undefined ? Buffer.from(secret, "utf8") : Buffer.from(encoded, "base64");
}

export const standard: Provider = {
  proof: { kind: "secret", verifier: verifyStandard },
  delivery: (headers) => ({ id: requiredIdIn(headers, ["webhook-id"]), event: "push", kind: "push" }),
  pushes: generic.pushes,
};
