// D1 databases of an account: create, list, find, delete, and statements. Where a client gives a name in place of an id, it is
// looked up. A database of another account is none.

import { z } from "zod";
import { WrkstError } from "../../errors.js";
import { type DatabaseDetail, type DatabaseRef, isDatabaseName } from "../../model.js";
import type { Databases, QueryResult } from "../../reconcile/databases.js";
import { clean, params, refOf, sql } from "../database-routes.js";
import { limitResults, objectsOf } from "../query-results.js";
import { pageOf } from "./envelope.js";
import { type AddRoute, DEPLOY, READ } from "./index.js";

export const D1 = "/accounts/:account/d1/database";
export const ONE = `${D1}/:database`;

const creation = z.looseObject({
  name: z.string().refine(isDatabaseName, 'expected letters, digits, "-" and "_", at most 64'),
});
const statement = z.looseObject({ sql, params });
const several = z.array(statement).min(1).max(1000);
/** A text without parameters may hold several statements; all of a call are one transaction. */
const querySchema = z.union([
  statement.transform((one) => (one.params?.length ? { list: [one] } : { text: one.sql })),
  several.transform((list) => ({ list })),
  z.looseObject({ batch: several }).transform(({ batch }) => ({ list: batch })),
]);

export function addD1Routes(add: AddRoute, databases: Databases): void {
  addListRoutes(add, databases);
  addOneRoutes(add, databases);
  addQueryRoutes(add, databases);
}

function addListRoutes(add: AddRoute, databases: Databases): void {
  add({ method: "GET", path: D1, rule: READ, summary: "Databases of the account, by name" }, ({ account, req }) => {
    const { name } = req.query;
    const all = databases.list(account);
    const found = typeof name === "string" ? all.filter((one) => one.name.includes(name)) : all;
    // Who looks for one name takes the first.
    found.sort((a, b) => Number(b.name === name) - Number(a.name === name));
    return pageOf(found.map(showD1), req.query);
  });
  add(
    { method: "POST", path: D1, rule: DEPLOY, body: creation, summary: "Makes an empty database" },
    ({ account, body, actor }) => showD1(databases.create(account, body.name, actor)),
  );
}

function addOneRoutes(add: AddRoute, databases: Databases): void {
  add({ method: "GET", path: ONE, rule: READ, summary: "A database by id or name" }, async (call) => {
    const { fields } = call.req.query;
    const shown = showD1(await databases.detail(refOf(call)));
    if (typeof fields !== "string") return shown;
    const wanted = fields.split(",");
    return Object.fromEntries(Object.entries(shown).filter(([key]) => wanted.includes(key)));
  });
  const summary = "Removes a database; it can be brought back for a while";
  add({ method: "DELETE", path: ONE, rule: DEPLOY, summary }, async (call) => {
    await databases.remove(refOf(call), { force: call.req.query.force === "true" }, call.actor);
    return null;
  });
}

function addQueryRoutes(add: AddRoute, databases: Databases): void {
  const answer = (path: string, show: (result: QueryResult) => object, summary: string) =>
    add({ method: "POST", path: `${ONE}/${path}`, rule: DEPLOY, body: querySchema, summary }, async (call) => {
      const { body, actor } = call;
      const of = refOf(call);
      const answered =
        "text" in body ? databases.script(of, body.text, actor) : databases.query(of, body.list.map(clean), actor);
      return limitResults(await answered).map(show);
    });
  answer(
    "query",
    (one) => ({ results: objectsOf(one), success: true, meta: one.meta }),
    "Runs statements in one transaction, rows as objects",
  );
  answer(
    "raw",
    ({ columns, rows, meta }) => ({ results: { columns, rows }, success: true, meta }),
    "Runs statements in one transaction, rows as lists",
  );
}

/** A database as Cloudflare's API shows it. */
export function showD1({ id, name, createdAt, size, tables }: DatabaseDetail) {
  return {
    ...{ uuid: id, name, version: "production", created_at: new Date(createdAt).toISOString() },
    ...(tables === null ? {} : { num_tables: tables }),
    ...{ file_size: size, read_replication: { mode: "disabled" } },
  };
}

/** What is under the path. @throws WrkstError ERR_DATABASE_NOT_FOUND */
export function expectDatabase(databases: Databases, of: DatabaseRef): DatabaseDetail {
  const found = databases.find(of);
  if (found) return found;
  throw new WrkstError("ERR_DATABASE_NOT_FOUND", `there is no database "${of.database}"`, {
    hint: "see: wrangler d1 list",
  });
}
