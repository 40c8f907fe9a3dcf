// The two questions about databases that wrangler asks Cloudflare's analytics, answered from what was counted here. Anything
// else is not supported.

import { z } from "zod";
import { permits } from "../../auth/index.js";
import { WrkstError } from "../../errors.js";
import type { DatabaseActivity } from "../../model.js";
import type { Databases } from "../../reconcile/databases.js";
import { type Call, Reply } from "../routes.js";
import { Bare } from "./envelope.js";
import type { AddRoute } from "./index.js";

const SELF = { action: "self", of: "caller" } as const;

const querySchema = z.looseObject({
  query: z.string().max(100_000),
  variables: z
    .looseObject({
      accountTag: z.string().max(64),
      filter: z.looseObject({ AND: z.array(z.looseObject({ databaseId: z.string().max(200).optional() })).max(20) }),
    })
    .optional()
    .catch(undefined),
});

const ANSWERS: Record<string, (activity: DatabaseActivity) => object[]> = {
  d1AnalyticsAdaptiveGroups: showSums,
  d1QueriesAdaptiveGroups: showStatements,
};

export function addAnalyticsRoute(add: AddRoute, databases: Databases): void {
  const summary = "What was asked of a database, as wrangler asks for it";
  add({ method: "POST", path: "/graphql", rule: SELF, body: querySchema, summary }, async (call) => {
    const wanted = Object.keys(ANSWERS).find((name) => call.body.query.includes(name));
    if (wanted === undefined) throw new WrkstError("ERR_UNSUPPORTED", "analytics are not supported here");
    const activity = await activityFor(databases, call);
    const rows = activity ? (ANSWERS[wanted]?.(activity) ?? []) : [];
    return new Reply(new Bare({ data: { viewer: { accounts: [{ [wanted]: rows }] } }, errors: null }), {});
  });
}

/** Statements may hold values: they are as private as logs. Who may not see them is told of no activity. */
async function activityFor(
  databases: Databases,
  { identity, body: { variables } }: Call<unknown, z.infer<typeof querySchema>>,
): Promise<DatabaseActivity | undefined> {
  const account = variables?.accountTag;
  const database = variables?.filter.AND.find(({ databaseId }) => databaseId !== undefined)?.databaseId;
  if (account === undefined || database === undefined || !permits(identity, "logs", account)) return undefined;
  return databases.find({ account, database }) && databases.activity({ account, database });
}

function showSums({ since, queries, writes, rowsRead, rowsWritten }: DatabaseActivity): object[] {
  const sum = { readQueries: queries - writes, writeQueries: writes, rowsRead, rowsWritten };
  return [{ sum, dimensions: { datetimeHour: new Date(since).toISOString() } }];
}

function showStatements({ slowest }: DatabaseActivity): object[] {
  return slowest.map(({ sql, milliseconds, rowsRead }) => {
    const figures = { queryDurationMs: milliseconds, rowsRead, rowsWritten: 0, rowsReturned: 0 };
    return { sum: figures, avg: figures, count: 1, dimensions: { query: sql } };
  });
}
