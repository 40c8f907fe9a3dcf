// Opaque secrets: made of 256 random bits behind a prefix that tells their kind, remembered as digests only.

import { createHash, randomBytes } from "node:crypto";

/** One prefix per kind, so that none is looked up in place of another (SECURITY.md A4). */
export const PREFIX = {
  apiToken: "wrkst_",
  refreshToken: "wrkstr_",
  code: "wrkstc_",
  deviceCode: "wrkstd_",
} as const;
export type OpaqueKind = keyof typeof PREFIX;

export interface Opaque {
  /** For its holder, told once. */
  secret: string;
  digest: string;
}

export function createOpaque(kind: OpaqueKind): Opaque {
  const secret = `${PREFIX[kind]}${randomBytes(32).toString("base64url")}`;
  return { secret, digest: digestOf(secret) };
}

/** The digest under which a secret of that kind would be known; undefined for what cannot be one. */
export function digestOfKind(kind: OpaqueKind, presented: unknown): string | undefined {
  if (typeof presented !== "string" || !presented.startsWith(PREFIX[kind])) return undefined;
  return presented.length === PREFIX[kind].length + 43 ? digestOf(presented) : undefined;
}

/** SHA-256 in hex: what is compared are digests, so the comparison tells nothing of the secret. */
export function digestOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
