// Which versions of a function get copies of its databases, and of which databases. Pure.

import type { RoutedDatabase, RoutedFunction, RoutedVersion } from "../model.js";
import { boundOf } from "./databases.js";
import { hasServed } from "./route-table.js";

/** Versions of one function that have copies at a time. */
export const MOST_PREVIEWS = 10;

/**
 * Those that never served and that a name leads to: the newest one, then what aliases lead to, then the others, newest first. What
 * branches and commits have works on copies of theirs.
 */
export function previewsOf(function_: RoutedFunction): RoutedVersion[] {
  const aliased = new Set(Object.values(function_.aliases));
  const previews = function_.versions
    .filter((version) => !hasServed(version, function_) && !isOfPreview(version, function_))
    .filter(({ id, manifest }) => aliased.has(id) || (function_.settings.previews ?? manifest.previewUrls))
    .reverse();
  const rank = ({ id }: RoutedVersion, index: number) => (index === 0 || aliased.has(id) ? 0 : 1);
  const ranked = previews.map((version, index) => ({ version, rank: rank(version, index) }));
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .map(({ version }) => version)
    .slice(0, MOST_PREVIEWS);
}

/** Now, or until its preview moved on or went. */
function isOfPreview({ id, replacedAt }: RoutedVersion, { aliases, previews }: RoutedFunction): boolean {
  if (previews.some(({ version }) => version === id)) return true;
  return replacedAt !== null && !Object.values(aliases).includes(id);
}

/** Databases that the version may use and has no copy of, each once. */
export function uncopiedOf(version: RoutedVersion, function_: RoutedFunction): RoutedDatabase[] {
  const open = Object.values(boundOf(version, function_)).flatMap((database) =>
    database?.isOpen && !database.isRemoved ? [database] : [],
  );
  const missing = open.filter(({ id }) => !Object.hasOwn(version.copies, id));
  return [...new Map(missing.map((database) => [database.id, database])).values()];
}
