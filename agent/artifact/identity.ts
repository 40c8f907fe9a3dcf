// Names of things by their content: digests of artifacts, ids of git versions. Pure; the same on any machine.

import { createHash } from "node:crypto";
import type { Manifest } from "../model.js";

/** `sha256:<64 hex>` of the bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** All that makes a git version what it is (DESIGN.md §6). Secrets are outside it. */
export interface VersionIdentity {
  account: string;
  function: string;
  /** `sha256:<64 hex>`. */
  artifact: string;
  manifest: Manifest;
  /** Bundler and its options, e.g. `esbuild@0.28.2/1`. */
  bundler: string;
}

/** Id of a git version: a UUIDv8 (RFC 9562 §5.8) of its identity, so that equal content is the same version everywhere. */
export function versionId(parts: VersionIdentity): string {
  const { account, function: name, artifact, manifest, bundler } = parts;
  const text = canonicalJson({ account, function: name, artifact, manifest, bundler });
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = 0x80 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** JSON with the keys of every object sorted and undefined left out, so that equal values are equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (isPlainObject(part) ? sortKeys(part) : part));
}

/** Without prototype, since a key may be called `__proto__`; keys that look like numbers are ordered by the engine, always alike. */
function sortKeys(value: Record<string, unknown>): Record<string, unknown> {
  const sorted: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort()) sorted[key] = value[key];
  return sorted;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
