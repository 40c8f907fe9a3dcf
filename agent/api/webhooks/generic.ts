// Webhooks of whoever can compute an HMAC: a script, a post-receive hook, a forge that we do not know. Pure.

import { z } from "zod";
import {
  announced,
  COMMIT,
  headerOf,
  hmacVerifier,
  idIn,
  missingProof,
  type OpenVerifier,
  type Provider,
  parsePayload,
} from "./provider.js";

/** A `ref` that is not in full is a branch. */
const PUSH = z.object({ ref: z.string().min(1).max(1000).optional(), commit: COMMIT.optional() });

const verifier: OpenVerifier = (headers, secret) => {
  const raw = headerOf(headers, "X-Signature");
  const [, algorithm, hex = ""] = /^(sha256|sha512)=([0-9a-f]+)$/i.exec(raw ?? "") ?? [];
  const kind = algorithm?.toLowerCase() === "sha512" ? "sha512" : "sha256";
  if (hex.length !== (kind === "sha512" ? 128 : 64)) {
    throw missingProof('"X-Signature: sha256=<64 hex>", or sha512 with 128', raw);
  }
  return hmacVerifier(kind, secret, Buffer.from(hex, "hex"));
};

export const generic: Provider = {
  proof: { kind: "secret", verifier },
  delivery: (headers) => ({ id: idIn(headers, ["Idempotency-Key"]), event: "push", kind: "push" }),
  /** `{ "ref"?, "commit"? }`, or no body at all. */
  pushes(body, { headers }) {
    const { ref, commit } = body.length ? parsePayload(PUSH, body, headers) : {};
    const full = ref === undefined || ref.startsWith("refs/") ? ref : `refs/heads/${ref}`;
    return [{ ref: full, commit: announced(commit) }];
  },
};
