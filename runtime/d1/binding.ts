// Brings databases into the `env` of a function: what the loader is given, and the code that makes of it, before anything
// of the function runs, what the function expects to find: objects of workerd's own class. Pure.
import { RESERVED_PREFIX } from "../wire.js";

/** Name in `env` of what only our own module sees: it is gone before the function's modules run. */
const HANDED_OVER = `${RESERVED_PREFIX}Databases`;

/** Binding → what the database's calls are sent to, or why there is no database, which every call is answered. */
export type Given = Record<string, Fetcher | string>;

/**
 * What is put into `env` for the code below. A function finds the fetchers sooner or later, by patching what all fetchers
 * have in common: each must be good for nothing but the calls of its database.
 */
export function handOver(template: D1Database, databases: Given): Record<string, unknown> {
  return { [HANDED_OVER]: { template, databases } };
}

/**
 * Source of `bindDatabases(env)`, which does nothing the second time. With the flag "disallow_importable_env" the module
 * scope has no `env`: then the first one that is given to anything is bound, which is the same object for all.
 */
export const BINDING_SOURCE = `
import { env as importable } from "cloudflare:workers";
function refusing(why) {
  return { async fetch() { throw new Error("D1_ERROR: " + why, { cause: new Error(why) }); } };
}
export function bindDatabases(env) {
  const given = env.${HANDED_OVER};
  if (given === undefined) return;
  const { template: { constructor: D1Database }, databases } = given;
  delete env.${HANDED_OVER};
  for (const name of Object.keys(databases)) {
    const fetcher = databases[name];
    const value = new D1Database(typeof fetcher === "string" ? refusing(fetcher) : fetcher);
    Object.defineProperty(env, name, { value, writable: true, enumerable: true, configurable: true });
  }
}
bindDatabases(importable);
`;
