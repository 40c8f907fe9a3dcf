// Which version of a gradual deployment a request goes to: the one it names, otherwise the one of its key, otherwise by chance. Pure.
import type { VersionSpec } from "./wire.js";

/** A version and its part of the traffic, in per cent. */
export interface Share {
  spec: VersionSpec;
  percentage: number;
}

/** https://developers.cloudflare.com/workers/configuration/versions-and-deployments/gradual-deployments/ */
export const VERSION_KEY = "cloudflare-workers-version-key";
export const VERSION_OVERRIDES = "cloudflare-workers-version-overrides";

/**
 * The version for a request with these headers; `random` is at least 0 and less than 1. Requests with the same key go to the
 * same version, and when shares change, keys move only towards the version whose share has grown.
 */
export function assign(
  function_: string,
  shares: Share[],
  headers: { get(name: string): string | null },
  random: number,
): VersionSpec | undefined {
  const override = headers.get(VERSION_OVERRIDES);
  const wanted = override === null ? undefined : overrideOf(override, function_);
  const named = wanted === undefined ? undefined : shares.find(({ spec }) => spec.id === wanted);
  if (named) return named.spec;
  const key = headers.get(VERSION_KEY);
  const point = (key === null ? random : fractionOf(`${function_}\0${key}`)) * 100;
  let end = 0;
  for (const { spec, percentage } of shares) {
    end += percentage;
    if (point < end) return spec;
  }
  return shares.at(-1)?.spec;
}

/** Anybody may send the header: no two parts of this can match the same spaces, or a long one would stop the process. */
const MEMBER = /[ \t]*([a-z0-9*][a-z0-9_.*-]*)="([^"\\]*)"(?:;[^,"]*|[ \t]*)(,|$)/y;

/** The member of a dictionary of structured fields (RFC 9651 §3.2) that is called like the function; a malformed one has none. */
function overrideOf(header: string, function_: string): string | undefined {
  let found: string | undefined;
  MEMBER.lastIndex = 0;
  for (;;) {
    const [, name, version, separator] = MEMBER.exec(header) ?? [];
    if (name === undefined) return undefined;
    if (name === function_) found = version;
    if (separator === "") return found;
  }
}

/** Evenly spread over 0 to 1 and the same for equal texts: FNV-1a, mixed as murmur3 ends. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
