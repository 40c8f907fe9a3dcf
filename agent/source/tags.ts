// Which tag a range of versions means. Pure: knows names only.

import { compareBuild, parse, Range, type SemVer } from "semver";
import { WrkstError } from "../errors.js";
import { printable } from "./remote.js";

/** What a version looks like as the name of a tag; everything else is left to semver. */
const NAME = /^v?\d[0-9A-Za-z.+-]{0,199}$/;
const LONGEST_RANGE = 200;

/**
 * A range of versions as semver reads it, without what surrounds it.
 * @throws WrkstError ERR_GIT_REFUSED
 */
export function validateRange(raw: string): string {
  const range = raw.trim();
  if (readRange(range)) return range;
  throw new WrkstError("ERR_GIT_REFUSED", `expected a range of versions, received "${printable(range, 200)}"`, {
    hint: 'for example "^1.2" or ">=1 <3"',
  });
}

function readRange(range: string): Range | undefined {
  if (range === "" || range.length > LONGEST_RANGE) return undefined;
  try {
    return new Range(range);
  } catch {
    return undefined;
  }
}

/**
 * The name whose version is the highest in the range, `v` in front or not; a prerelease only where the range names one of
 * the same version. Of two equal versions the one with the higher build counts, of `1.2.0` and `v1.2.0` the one with `v`.
 *
 * @param range as `validateRange` answers it
 */
export function newestTag(names: Iterable<string>, range: string): string | undefined {
  const wanted = readRange(range);
  let newest: { name: string; version: SemVer } | undefined;
  for (const name of names) {
    const version = versionOf(name);
    if (!version || !wanted?.test(version)) continue;
    const order = newest ? compareBuild(version, newest.version) || (name.startsWith("v") ? 1 : -1) : 1;
    if (order > 0) newest = { name, version };
  }
  return newest?.name;
}

/** git has no reference that ends with `.lock`. */
function versionOf(name: string): SemVer | null {
  return NAME.test(name) && !name.endsWith(".lock") ? parse(name) : null;
}
