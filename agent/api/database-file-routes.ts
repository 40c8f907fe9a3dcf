// `/api/v1/databases/:database`: whole contents: imports and exports as SQL, snapshots, and the way back to one.

import { rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { WrkstError } from "../errors.js";
import type { DatabaseSnapshot } from "../model.js";
import { IMPORT_LIMIT } from "../reconcile/databases.js";
import type { Budget } from "./body.js";
import { ACCOUNT, type DatabaseRoutesDeps, DB, date, RULES, refOf } from "./database-routes.js";
import { receiveFile, sendFile } from "./files.js";
import { Reply, type Routes } from "./routes.js";

const flag = z.enum(["true", "false"]).default("false");
const table = z.string().min(1).max(200);
const exportQuery = ACCOUNT.extend({
  noSchema: flag,
  noData: flag,
  tables: z
    .string()
    .transform((raw) => raw.split(","))
    .pipe(z.array(table).max(1000))
    .optional()
    .describe("Names, separated by commas; all without it"),
});
const restoreSchema = z
  .union([
    z.strictObject({ snapshot: z.string().min(1).max(64) }),
    z.strictObject({ time: z.iso.datetime({ offset: true }) }),
  ])
  .describe("A snapshot, or the newest one at or before a time");

export interface FileRoutesDeps extends DatabaseRoutesDeps {
  /** Folder for files while they are read. */
  uploads: string;
}

/** Bytes of imports that are being read. */
const MOST_AT_ONCE = 2 * 2 ** 30;

export function addDatabaseFileRoutes(routes: Routes, deps: FileRoutesDeps): void {
  addSqlRoutes(routes, deps);
  addSnapshotRoutes(routes, deps);
}

function addSqlRoutes(routes: Routes, { databases, uploads }: FileRoutesDeps): void {
  const budget: Budget = { left: MOST_AT_ONCE };
  routes.add(
    {
      ...{ method: "POST", path: `${DB}/import`, rule: RULES.hold, query: ACCOUNT, streams: true },
      summary: "Runs a file of SQL, the body, in one transaction, after a snapshot",
    },
    async (call) => {
      refuseKey(call.req);
      const of = refOf(call);
      if (!databases.find(of)) await databases.detail(of);
      const file = await receiveFile(call.req, { folder: uploads, limit: IMPORT_LIMIT, budget });
      try {
        return await databases.import(of, file.path, call.actor);
      } finally {
        await file.release();
      }
    },
  );
  routes.add(
    {
      ...{ method: "GET", path: `${DB}/export`, rule: RULES.hold, query: exportQuery },
      summary: "The database as SQL",
    },
    async (call) => {
      const { noSchema, noData, tables = [] } = call.query;
      const of = refOf(call);
      const { name } = await databases.detail(of);
      const path = await databases.export(of, { noSchema: noSchema === "true", noData: noData === "true", tables });
      try {
        return await sendFile(call.res, path, { name: `${name}.sql`, type: "application/sql" });
      } finally {
        await rm(path, { force: true });
      }
    },
  );
}

/** A file is not looked at before it runs, so that a second one could not be told from the first. */
function refuseKey({ headers }: IncomingMessage): void {
  if (headers["idempotency-key"] === undefined) return;
  throw new WrkstError("ERR_INVALID", "expected no Idempotency-Key: an import is not remembered", {
    hint: "leave the header out; whether an import was done, its snapshot tells: wrkst d1 snapshots",
  });
}

function addSnapshotRoutes(routes: Routes, { databases }: DatabaseRoutesDeps): void {
  const path = `${DB}/snapshots`;
  routes.add(
    { method: "GET", path, rule: RULES.read, query: ACCOUNT, summary: "Snapshots of a database, newest first" },
    (call) => ({ snapshots: databases.snapshots(refOf(call)).map(showSnapshot), cursor: null }),
  );
  routes.add({ method: "POST", path, rule: RULES.hold, query: ACCOUNT, summary: "Takes a snapshot" }, async (call) => {
    const made = await databases.snapshot(refOf(call), "request", call.actor);
    return new Reply(showSnapshot(made), { status: 201 });
  });
  routes.add(
    {
      ...{ method: "GET", path: `${path}/:snapshot`, rule: RULES.hold, query: ACCOUNT },
      summary: "A snapshot's file, a whole SQLite database",
    },
    async (call) => {
      const of = refOf(call);
      const { name } = await databases.detail(of);
      const { snapshot = "" } = call.params;
      const file = databases.snapshotFile(of, snapshot);
      return sendFile(call.res, file, { name: `${name}-${snapshot}.sqlite`, type: "application/vnd.sqlite3" });
    },
  );
  routes.add(
    {
      ...{ method: "POST", path: `${DB}/restore`, rule: RULES.hold, query: ACCOUNT, body: restoreSchema },
      summary: "Goes back to a snapshot; the state before is a snapshot of its own",
    },
    async (call) => {
      const { body } = call;
      const to = "snapshot" in body ? body : { time: pastOf(body.time) };
      const { restored, before } = await databases.restore(refOf(call), to, call.actor);
      return { restored: showSnapshot(restored), before: showSnapshot(before) };
    },
  );
}

function pastOf(raw: string): number {
  const time = Date.parse(raw);
  if (Number.isSafeInteger(time) && time > 0) return time;
  throw new WrkstError("ERR_INVALID", `expected a time since 1970, received "${raw}"`);
}

export function showSnapshot({ at, ...snapshot }: DatabaseSnapshot) {
  return { ...snapshot, at: date(at) };
}
