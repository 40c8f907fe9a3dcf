// Which branches get previews, and under which label (DESIGN.md §5). Pure: the same set of branches always gives the same labels.

import { createHash } from "node:crypto";
import { isAliasName } from "../model.js";

/** Characters of a label, so that `<label>--<function>` fits into one part of a host for names of up to 24 characters. */
export const LONGEST_LABEL = 37;
const HASH = 8;

/**
 * A label for each branch: its name where that is a label already, otherwise what is left of it. A short hash is added where it was cut,
 * where another branch has the label literally or makes the same one, and where it is reserved.
 */
export function labelsOf(branches: Iterable<string>, reserved: Iterable<string> = []): Map<string, string> {
  const sorted = [...new Set(branches)].sort();
  const taken = new Set(reserved);
  const labels = new Map<string, string>();
  for (const branch of sorted.filter((name) => isFree(name, taken) && shorten(plain(name)) === name)) {
    labels.set(branch, branch);
  }
  const literal = new Set(labels.keys());
  const others = sorted.filter((name) => !literal.has(name));
  const makers = new Map<string, number>();
  for (const branch of others) makers.set(plain(branch), (makers.get(plain(branch)) ?? 0) + 1);
  for (const branch of others) {
    const label = plain(branch);
    const isWhole = shorten(label) === label && isFree(label, taken) && !literal.has(label);
    if (isWhole && makers.get(label) === 1) labels.set(branch, label);
  }
  const used = new Set([...taken, ...labels.values()]);
  for (const branch of sorted.filter((name) => !labels.has(name))) {
    const label = hashed(branch, used);
    used.add(label);
    labels.set(branch, label);
  }
  return labels;
}

function isFree(label: string, taken: ReadonlySet<string>): boolean {
  return isAliasName(label) && !taken.has(label);
}

function plain(branch: string): string {
  return trim(branch.toLowerCase().replace(/[^a-z0-9]+/g, "-"));
}

function trim(label: string): string {
  return label.replace(/^-|-$/g, "");
}

function shorten(label: string, length = LONGEST_LABEL): string {
  return trim(label.slice(0, length));
}

/** The hash grows while somebody has named a branch like the label. */
function hashed(branch: string, used: ReadonlySet<string>): string {
  const digest = createHash("sha256").update(branch).digest("hex");
  for (let length = HASH; ; length += 4) {
    const start = shorten(plain(branch), LONGEST_LABEL - length - 1) || "branch";
    const label = `${start}-${digest.slice(0, length)}`;
    if (!used.has(label)) return label;
  }
}

/** Whether one of the globs fits: `*` stands for any characters of a part, `**` for any parts. */
export function matchesBranch(patterns: readonly string[], branch: string): boolean {
  return patterns.some((pattern) => expressionOf(pattern).test(branch));
}

function expressionOf(pattern: string): RegExp {
  const parts = pattern.split(/(\*+)/).map((part) => {
    if (part.startsWith("**")) return ".*";
    return part === "*" ? "[^/]*" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`, "s");
}
