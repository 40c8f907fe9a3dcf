// What a provider of webhooks knows: how a request proves who sent it, what it is, and which references it speaks of; with
// the pieces that they share. Pure.

import { createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { isSameSecret } from "../../constant-time.js";
import { WrkstError } from "../../errors.js";

export interface Provider {
  proof: Proof;
  /** @throws WrkstError ERR_INVALID */
  delivery(headers: IncomingHttpHeaders): Delivery;
  /** What moved; asked of pushes only, whose signature was right. @throws WrkstError ERR_INVALID */
  pushes(body: Buffer, request: { headers: IncomingHttpHeaders; event: string }): Push[];
}

/** By a secret that both sides have, or by the token of a CI job, under the operator's rules. */
export type Proof = { kind: "secret"; verifier: OpenVerifier } | { kind: "ci-token" };

/**
 * Reads from the headers how the body is to be checked.
 * @param now milliseconds since 1970
 * @throws WrkstError ERR_WEBHOOK_SIGNATURE when there is nothing to check
 */
export type OpenVerifier = (headers: IncomingHttpHeaders, secret: string, now: number) => Verifier;

export interface Verifier {
  /** Takes the bytes of the body, as they arrive. */
  update(chunk: Buffer): void;
  /** In constant time. Asked once, after the last byte. */
  isRight(): boolean;
}

export interface Delivery {
  /** Of this delivery, the same when it is sent again; undefined where the provider gives none. */
  id: string | undefined;
  /** As the provider calls it. */
  event: string;
  kind: "push" | "ping" | "other";
}

export interface Push {
  /** In full (`refs/heads/main`); undefined: whatever is followed. */
  ref: string | undefined;
  /** The commit announced, 40 hex; undefined when the reference is gone, or none was named. */
  commit: string | undefined;
}

/** @param name as people write it, `X-GitHub-Event` */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return typeof value === "string" ? value : undefined;
}

/** An id in the first of these headers that is there. @throws WrkstError ERR_INVALID */
export function idIn(headers: IncomingHttpHeaders, names: string[]): string | undefined {
  const name = names.find((one) => headers[one.toLowerCase()] !== undefined);
  if (name === undefined) return undefined;
  const id = headerOf(headers, name);
  if (id !== undefined && /^[\w:{}-]{1,200}$/.test(id)) return id;
  throw new WrkstError("ERR_INVALID", `expected the id of a delivery in "${name}"`);
}

/** @throws WrkstError ERR_INVALID where it is missing */
export function requiredIdIn(headers: IncomingHttpHeaders, names: string[]): string {
  const id = idIn(headers, names);
  if (id !== undefined) return id;
  throw new WrkstError("ERR_INVALID", `expected the id of the delivery in "${names.join('" or "')}"`);
}

/** @throws WrkstError ERR_INVALID */
export function eventIn(headers: IncomingHttpHeaders, name: string): string {
  const event = headerOf(headers, name);
  if (event !== undefined && /^[\w :]{1,100}$/.test(event)) return event;
  throw new WrkstError("ERR_INVALID", `expected the name of an event in "${name}"`);
}

/** The body's HMAC-SHA256 under the secret as it is, in hex after `prefix` in one header, and in no other. */
export function hexSignature(name: string, prefix = ""): OpenVerifier {
  const expected = `"${name}: ${prefix}<64 hex>"`;
  return (headers, secret) => {
    const raw = headerOf(headers, name);
    const hex = raw?.startsWith(prefix) ? raw.slice(prefix.length) : "";
    if (!/^[0-9a-f]{64}$/i.test(hex)) throw missingProof(expected, raw);
    return hmacVerifier("sha256", secret, Buffer.from(hex, "hex"));
  };
}

export function hmacVerifier(algorithm: "sha256" | "sha512", key: string, signature: Buffer): Verifier {
  const hmac = createHmac(algorithm, key);
  return { update: (chunk) => void hmac.update(chunk), isRight: () => isSameSecret(hmac.digest(), signature) };
}

/** Never says what was received: it may be the secret. */
export function missingProof(expected: string, received: string | undefined): WrkstError {
  const what = received === undefined ? "none" : "something else";
  return new WrkstError("ERR_WEBHOOK_SIGNATURE", `expected ${expected}, received ${what}`, {
    hint: "set the webhook's secret on the forge to that of this source",
  });
}

export const COMMIT = z.string().regex(/^[0-9a-f]{40}$/);
export const REF = z.string().regex(/^refs\/.{1,1000}$/);

/** The commit that was announced; zeros stand for none. */
export function announced(commit: string | null | undefined): string | undefined {
  return commit && !/^0+$/.test(commit) ? commit : undefined;
}

/** @throws WrkstError ERR_INVALID unless the body is JSON of that shape, and says so */
export function parsePayload<T>(schema: z.ZodType<T>, body: Buffer, headers: IncomingHttpHeaders): T {
  if (contentTypeOf(headers) !== "application/json") {
    throw new WrkstError("ERR_INVALID", 'expected "Content-Type: application/json"');
  }
  return parseText(schema, body.toString("utf8"));
}

export function contentTypeOf(headers: IncomingHttpHeaders): string | undefined {
  return headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
}

/** @throws WrkstError ERR_INVALID */
export function parseText<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WrkstError("ERR_INVALID", "the body is no JSON");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.join(".") ?? "";
  throw new WrkstError("ERR_INVALID", `the push: expected ${where === "" ? "an object" : `"${where}"`} as documented`);
}
