// Finds the D1 database that is bound to a function, and says what to change where there is none. A native binding is
// returned itself, with nothing around it; only the name of a host becomes a client. Plain JavaScript: the file is published
// as it is, its types are in index.d.ts.

import { HostDatabase, parseHost } from "./client.js";

export class D1BindingError extends Error {
  /** @type {import("./index.d.ts").D1BindingError["code"]} */
  code;
  /** @type {string} */
  hint;

  /**
   * @param {import("./index.d.ts").D1BindingError["code"]} code
   * @param {string} message
   * @param {string} hint
   */
  constructor(code, message, hint) {
    // Of an exception that nobody catches, platforms show the message alone.
    super(`${message}\nhint: ${hint}`);
    this.name = "D1BindingError";
    this.code = code;
    this.hint = hint;
  }
}

/** @type {typeof import("./index.d.ts").getD1} */
export function getD1(env, binding = "D1") {
  if (typeof env !== "object" || env === null) {
    throw new TypeError(`"env" is not an object: expected the env of the function, received ${kindOf(env)}`);
  }
  const value = propertyOf(env, binding);
  if (isD1(value)) return value;
  const origin = typeof value === "string" ? parseHost(value) : undefined;
  if (origin) return new HostDatabase(origin);
  const isMissing = value === undefined || value === null;
  throw isMissing ? missing(env, binding) : notADatabase(binding, value);
}

/**
 * @param {object} env
 * @param {string} binding
 * @returns {unknown}
 */
function propertyOf(env, binding) {
  return /** @type {Record<string, unknown>} */ (env)[binding];
}

/**
 * Stubs of services and Durable Objects seem to have every method, but have "fetch" too, which a database has not.
 * @param {unknown} value
 * @returns {value is import("./index.d.ts").D1Database}
 */
function isD1(value) {
  if (typeof value !== "object" || value === null || "fetch" in value) return false;
  return ["prepare", "batch", "exec"].every((method) => typeof propertyOf(value, method) === "function");
}

/**
 * @param {object} env
 * @param {string} binding
 */
function missing(env, binding) {
  const bound = Object.keys(env).find((name) => isD1(propertyOf(env, name)));
  const hint = bound
    ? `a database is bound as "${bound}": getD1(env, "${bound}")`
    : `declare it in the wrangler file: [[d1_databases]] with binding = "${binding}"`;
  return new D1BindingError(
    "ERR_D1_BINDING_MISSING",
    `binding "${binding}" is missing: expected a D1 database, received ${kindOf(propertyOf(env, binding))}`,
    hint,
  );
}

/**
 * Says the kind only: a string may be a secret.
 * @param {string} binding
 * @param {unknown} value
 */
function notADatabase(binding, value) {
  const hint =
    typeof value === "string"
      ? 'declare the database under [[d1_databases]]; a string may only name a host, as "d1.internal:8787" does'
      : "name the binding of the database: getD1(env, name)";
  return new D1BindingError(
    "ERR_D1_BINDING_INVALID",
    `binding "${binding}" is not a database: expected a D1 database, received ${kindOf(value)}`,
    hint,
  );
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function kindOf(value) {
  if (value === null || value === undefined) return `${value}`;
  const type = typeof value;
  return type === "object" ? "an object of another kind" : `a ${type}`;
}
