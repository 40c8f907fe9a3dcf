// Compares secrets without telling by time how much of a guess was right. Pure.

import { timingSafeEqual } from "node:crypto";

/**
 * Whether both are the same bytes; text is its UTF-8. The time depends on the lengths alone: where the length is a secret
 * too, digests are what to compare.
 */
export function isSameSecret(one: string | Buffer, other: string | Buffer): boolean {
  const [a, b] = [bytesOf(one), bytesOf(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function bytesOf(secret: string | Buffer): Buffer {
  return typeof secret === "string" ? Buffer.from(secret) : secret;
}
