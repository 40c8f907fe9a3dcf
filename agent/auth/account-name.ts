// The account of a new user, derived from what the provider calls them. Pure.

import { MAIN } from "./access.js";

const RESERVED = new Set([MAIN, "admin", "latest", "wrkst"]);
const MOST = 40;

/** A free name in the grammar of function names: `ann.lee@example.com` makes `ann-lee`, or `ann-lee-2` when that is taken. */
export function accountName(
  called: readonly (string | null | undefined)[],
  isTaken: (name: string) => boolean,
): string {
  const base = called.map((name) => slugOf(name ?? "")).find((slug) => slug !== "") ?? "user";
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (!RESERVED.has(name) && !isTaken(name)) return name;
  }
}

function slugOf(name: string): string {
  return (name.split("@")[0] ?? "")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MOST)
    .replace(/^-|-$/g, "");
}
