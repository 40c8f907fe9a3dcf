// `/api/v1/databases`: what people do with databases. Names, sizes and migrations are read like functions. What a database
// holds is for those who may deploy to its account, since a function of theirs could read it anyway: on `main` for
// administrators. What functions ask it is private like their logs: statements may hold values in their text.

import { z } from "zod";
import type { D1Value } from "../../runtime/d1/wire.js";
import { WrkstError } from "../errors.js";
import {
  type DatabaseActivity,
  type DatabaseDetail,
  type DatabaseRef,
  isDatabaseName,
  isFunctionName,
  quantileOf,
} from "../model.js";
import type { Databases } from "../reconcile/databases.js";
import { limitResults } from "./query-results.js";
import { present } from "./requests.js";
import { type Call, Reply, type Routes } from "./routes.js";

export interface DatabaseRoutesDeps {
  databases: Databases;
}

export const DB = "/api/v1/databases/:database";
export const RULES = {
  read: { action: "read", of: "asked" },
  hold: { action: "deploy", of: "asked" },
  ask: { action: "logs", of: "asked" },
} as const;

const account = z.string().optional().describe("The account that is meant; your own unless it is named");
const flag = z.enum(["true", "false"]).default("false");
/** Query of every route here. */
export const ACCOUNT = z.strictObject({ account });
const name = z.string().refine(isDatabaseName, 'expected letters, digits, "-" and "_", at most 64');

const cell: z.ZodType<D1Value> = z.union([
  z.null(),
  z.number(),
  z.string(),
  z.array(z.number().int().min(0).max(255)).describe("The bytes of a blob"),
]);
export const params = z.array(cell).max(1000).optional();
export const sql = z.string().min(1).max(1_000_000);
const statement = z.strictObject({ sql, params });
const querySchema = z
  .union([statement, z.strictObject({ statements: z.array(statement).min(1).max(1000) })])
  .describe("One statement, a text of several without parameters, or several statements; one transaction");

export function addDatabaseRoutes(routes: Routes, deps: DatabaseRoutesDeps): void {
  addListRoutes(routes, deps);
  addLifeRoutes(routes, deps);
  addQueryRoutes(routes, deps);
  addMigrationRoutes(routes, deps);
  addShareRoutes(routes, deps);
}

export function refOf({ account: of, params: { database = "" } }: Pick<Call, "account" | "params">): DatabaseRef {
  return { account: of, database };
}

function addListRoutes(routes: Routes, { databases }: DatabaseRoutesDeps): void {
  const query = ACCOUNT.extend({ removed: flag.describe("Those that were removed, and can be brought back") });
  routes.add(
    { method: "GET", path: "/api/v1/databases", rule: RULES.read, query, summary: "Databases of an account, by name" },
    (call) => {
      const all = call.query.removed === "true" ? databases.removed(call.account) : databases.list(call.account);
      return { databases: all.map(showDatabase), cursor: null };
    },
  );
  routes.add(
    { method: "GET", path: DB, rule: RULES.read, query: ACCOUNT, summary: "A database, and what uses it" },
    async (call) => showDatabase(await databases.detail(refOf(call))),
  );
  routes.add(
    {
      ...{ method: "GET", path: `${DB}/activity`, rule: RULES.ask, query: ACCOUNT },
      summary: "What was asked of it in the last day, and the slowest statements",
    },
    async (call) => showActivity(await databases.activity(refOf(call))),
  );
}

function addLifeRoutes(routes: Routes, { databases }: DatabaseRoutesDeps): void {
  const creation = z.strictObject({ name });
  const removal = ACCOUNT.extend({ force: flag.describe("Also where functions are bound to it") });
  routes.add(
    {
      ...{ method: "POST", path: "/api/v1/databases", rule: RULES.hold, query: ACCOUNT, body: creation },
      summary: "Makes an empty database, open to all functions of the account",
    },
    (call) => new Reply(showDatabase(databases.create(call.account, call.body.name, call.actor)), { status: 201 }),
  );
  routes.add(
    {
      ...{ method: "DELETE", path: DB, rule: RULES.hold, query: removal },
      summary: "Removes a database; it can be brought back for a while",
    },
    async (call) => {
      await databases.remove(refOf(call), { force: call.query.force === "true" }, call.actor);
      return new Reply(undefined, { status: 204 });
    },
  );
  routes.add(
    { method: "POST", path: `${DB}/undelete`, rule: RULES.hold, query: ACCOUNT, summary: "Brings a database back" },
    async (call) => showDatabase(await databases.undelete(refOf(call), call.actor)),
  );
}

function addQueryRoutes(routes: Routes, { databases }: DatabaseRoutesDeps): void {
  routes.add(
    {
      ...{ method: "POST", path: `${DB}/query`, rule: RULES.hold, query: ACCOUNT, body: querySchema },
      ...{ rows: true, summary: "Runs statements in one transaction" },
    },
    async (call) => {
      const { body, actor } = call;
      const of = refOf(call);
      if ("statements" in body) return resultsOf(await databases.query(of, body.statements.map(clean), actor));
      if (body.params?.length) return resultsOf(await databases.query(of, [clean(body)], actor));
      return resultsOf(await databases.script(of, body.sql, actor));
    },
  );
}

const resultsOf = (results: Parameters<typeof limitResults>[0]) => ({ results: limitResults(results) });

export function clean(raw: { sql: string; params?: D1Value[] | undefined }) {
  return { sql: raw.sql, ...present({ params: raw.params }) };
}

function addMigrationRoutes(routes: Routes, { databases }: DatabaseRoutesDeps): void {
  const path = `${DB}/migrations`;
  routes.add(
    {
      ...{ method: "GET", path, rule: RULES.read, query: ACCOUNT },
      summary: "Migrations that were applied, and those that the serving version brings and were not",
    },
    async (call) => {
      const { set, ...state } = await databases.migrations(refOf(call));
      return { ...state, declared: set && { binding: set.binding, folder: set.folder, table: set.table } };
    },
  );
  routes.add(
    { method: "POST", path, rule: RULES.hold, query: ACCOUNT, summary: "Applies what is pending, after a snapshot" },
    (call) => databases.migrate(refOf(call), call.actor),
  );
}

function addShareRoutes(routes: Routes, { databases }: DatabaseRoutesDeps): void {
  const path = `${DB}/shares/:function`;
  const none = new Reply(undefined, { status: 204 });
  routes.add(
    {
      ...{ method: "PUT", path, rule: RULES.hold, query: ACCOUNT },
      summary: "Lets another function of the account use it",
    },
    async (call) => {
      await databases.share(refOf(call), functionOf(call), call.actor);
      return none;
    },
  );
  routes.add({ method: "DELETE", path, rule: RULES.hold, query: ACCOUNT, summary: "Takes that back" }, async (call) => {
    await databases.unshare(refOf(call), functionOf(call), call.actor);
    return none;
  });
}

function functionOf({ params: { function: wanted = "" } }: Call): string {
  if (isFunctionName(wanted)) return wanted;
  throw new WrkstError("ERR_INVALID", `expected the name of a function, received "${wanted}"`);
}

export const date = (at: number) => new Date(at).toISOString();

/** `p50`, `p99`: milliseconds that as many of a hundred statements took at most; null: longer than can be told, or there was none. */
function showActivity({ since, slowest, ...sums }: DatabaseActivity) {
  const [p50, p99] = [quantileOf(sums.buckets, 0.5), quantileOf(sums.buckets, 0.99)];
  return {
    since: date(since),
    ...sums,
    p50,
    p99,
    slowest: slowest.map(({ at, ...one }) => ({ ...one, at: date(at) })),
  };
}

/** The owner's id says nothing to clients: it stands among those that use it. */
export function showDatabase({ owner: _, createdAt, removedAt, ...database }: DatabaseDetail) {
  return { ...database, createdAt: date(createdAt), removedAt: removedAt === null ? null : date(removedAt) };
}
