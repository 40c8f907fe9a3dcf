// Checks what comes with a request: names in the path, the query, JSON bodies. Pure.

import { z } from "zod";
import { WrkstError } from "../errors.js";
import { FUNCTION_STATES, isAliasName, isFunctionName } from "../model.js";

const flag = z
  .enum(["", "true", "false"])
  .default("false")
  .transform((raw) => raw !== "false");
const name = z.string().refine(isFunctionName, "expected a name");
const count = (most: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,5}$/, "expected a number above zero")
    .transform(Number)
    .pipe(z.number().max(most, `expected at most ${most}`));
const eventId = z
  .string()
  .regex(/^\d{1,15}$/, "expected the id of an event")
  .transform(Number);

const EVENT_KINDS = /^[a-z0-9-]{1,40}(?:\.[a-z0-9-]{1,40})?(?:,[a-z0-9-]{1,40}(?:\.[a-z0-9-]{1,40})?){0,19}$/;

/** Queries of the routes; anything else in a query is refused, so that a misspelled one is not ignored. */
export const QUERY = {
  none: z.strictObject({}),
  wait: z.strictObject({ wait: flag }),
  status: z.strictObject({ account: name.optional() }),
  sync: z.strictObject({ wait: flag, prune: flag }),
  removal: z.strictObject({ keepFunctions: flag }),
  diff: z.strictObject({ ref: z.string().min(1).max(200).optional().describe("A branch, tag or commit") }),
  functions: z.strictObject({
    source: name.optional(),
    state: z.enum(FUNCTION_STATES).optional(),
    after: name.optional(),
    limit: count(5000).default(1000),
  }),
  events: z.strictObject({
    after: eventId.optional(),
    before: eventId.optional(),
    limit: count(1000).default(100),
    kind: z
      .string()
      .regex(EVENT_KINDS, "expected kinds such as source.synced, or nouns such as source, separated by commas")
      .transform((raw) => raw.split(","))
      .optional()
      .describe("Kinds such as source.synced, or nouns such as source, separated by commas"),
    function: name.optional(),
    source: name.optional(),
  }),
};

/** @throws WrkstError ERR_INVALID */
export function parseQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  return parseShape(schema, query, "query");
}

/** @throws WrkstError ERR_INVALID, with the place in the value */
export function parseShape<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.length ? `"${issue.path.join(".")}": ` : "";
  throw new WrkstError("ERR_INVALID", `${what}: ${where}${lowered(issue?.message ?? "cannot be read")}`);
}

function lowered(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

const MAX_DEPTH = 64;

/** The bytes as JSON of that shape; an empty body is `{}`. @throws WrkstError ERR_INVALID */
export function parseJson<T>(schema: z.ZodType<T>, bytes: Uint8Array, what = "body"): T {
  const text = Buffer.from(bytes).toString("utf8");
  if (isDeeperThan(MAX_DEPTH, text)) {
    throw new WrkstError("ERR_INVALID", `${what}: expected JSON of at most ${MAX_DEPTH} levels`);
  }
  return parseShape(schema, text.trim() === "" ? {} : parseText(text, what), what);
}

function parseText(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WrkstError("ERR_INVALID", `${what}: expected JSON`);
  }
}

/**
 * Counts brackets outside of strings, before anything recursive sees the text. A string without end is one too: looked for
 * again from every quote in it, it would stop the process.
 */
function isDeeperThan(limit: number, text: string): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.?)*(?:"|$)|[[{]|[\]}]/gs)) {
    if (token === "[" || token === "{") depth += 1;
    else if (token === "]" || token === "}") depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}

/** A function's or a source's name. @throws WrkstError ERR_INVALID */
export function parseName(raw: unknown): string {
  if (typeof raw === "string" && isFunctionName(raw)) return raw;
  throw new WrkstError("ERR_INVALID", `expected a name of lower case letters, digits and "-", received "${raw}"`);
}

/** Grammar of every parameter that occurs in a path; a name that is not here may be anything. */
const PARAMS: Record<string, { expected: string; test: (value: string) => boolean }> = {
  name: { expected: 'a name of lower case letters, digits and "-"', test: isFunctionName },
  account: { expected: "the id of an account", test: (value) => /^[\w-]{1,64}$/.test(value) },
  alias: { expected: "the name of an alias", test: (value) => value === "latest" || isAliasName(value) },
  version: { expected: "a version", test: (value) => /^[\w.-]{1,100}$/.test(value) },
  commit: { expected: "a commit by 7 digits or more", test: (value) => /^[0-9a-f]{7,40}$/i.test(value) },
  secret: { expected: "the name of a secret", test: isBindingName },
  database: { expected: "the id or name of a database", test: (value) => /^[\w-]{1,200}$/.test(value) },
  snapshot: { expected: "the id of a snapshot", test: (value) => /^[\w-]{1,64}$/.test(value) },
  function: { expected: "the name of a function", test: isFunctionName },
  zone: { expected: "the id of a zone", test: (value) => /^[a-z0-9.-]{1,253}$/.test(value) },
  id: { expected: "an id", test: (value) => /^[\w-]{1,64}$/.test(value) },
};

/** @throws WrkstError ERR_INVALID */
export function checkParam(name: string, value: string | string[]): void {
  const grammar = PARAMS[name];
  if (!grammar || (typeof value === "string" && grammar.test(value))) return;
  throw new WrkstError("ERR_INVALID", `expected ${grammar.expected}, received "${value}"`);
}

/** Names in a function's `env`. */
export function isBindingName(name: string): boolean {
  return /^[A-Za-z_$][\w$]{0,127}$/.test(name) && name !== "__proto__";
}

/** Only those that have a value, as optional properties want it. */
export function present<T extends Record<string, unknown>>(values: T) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
