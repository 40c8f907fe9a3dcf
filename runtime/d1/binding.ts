// Brings databases into the `env` of a function: what the loader is given, and the code that makes of it, before anything
// of the function runs, what the function expects to find: objects of workerd's own class. Pure.
import { RESERVED_PREFIX } from "../wire.js";

/** Name in `env` of what only our own module sees: it is gone before the function's modules run. */
const HANDED_OVER = `${RESERVED_PREFIX}Databases`;

/** The ways to a database. A stub is good for one life of its object: when a commit fails, because a disk is full, the object
 * ends, and with it the stub for good. `again` finds the object anew each time, which is slower. */
export interface Reach {
  direct: Fetcher;
  again?: Fetcher;
}

/** Binding → what the database's calls are sent to, or why there is no database, which every call is answered. */
export type Given = Record<string, Reach | string>;

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
function lasting({ direct, again }) {
  if (again === undefined) return direct;
  let fetcher = direct;
  const lost = (error) => {
    fetcher = again;
    return Response.json({ success: false, error: String(error.message) });
  };
  return { fetch: (input, init) => fetcher.fetch(input, init).catch(lost) };
}
export function bindDatabases(env) {
  const given = env.${HANDED_OVER};
  if (given === undefined) return;
  const { template: { constructor: D1Database }, databases } = given;
  delete env.${HANDED_OVER};
  for (const name of Object.keys(databases)) {
    const reach = databases[name];
    const value = new D1Database(typeof reach === "string" ? refusing(reach) : lasting(reach));
    Object.defineProperty(env, name, { value, writable: true, enumerable: true, configurable: true });
  }
}
bindDatabases(importable);
`;
