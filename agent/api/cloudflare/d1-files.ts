// Imports and exports as wrangler asks for them: begun by one call, asked for until they are done, the files by an address of
// their own.

import { z } from "zod";
import { WrkstError } from "../../errors.js";
import type { Actor, DatabaseRef } from "../../model.js";
import { type Databases, IMPORT_LIMIT } from "../../reconcile/databases.js";
import { refOf } from "../database-routes.js";
import type { Arrived } from "../files.js";
import type { Job, Jobs } from "../jobs.js";
import { present } from "../requests.js";
import type { Call } from "../routes.js";
import type { Transfers } from "../transfers.js";
import { expectDatabase, ONE } from "./d1.js";
import { type AddRoute, DEPLOY } from "./index.js";

export interface D1Files {
  databases: Databases;
  transfers: Transfers;
  jobs: Jobs;
}

const id = z.string().regex(/^[0-9a-f]{32}$/, "expected an id of ours");
const etag = z.string().regex(/^[0-9a-f]{32}$/i, "expected an MD5 in hex");
const importSchema = z.discriminatedUnion("action", [
  z.looseObject({ action: z.literal("init"), etag }),
  z.looseObject({ action: z.literal("ingest"), filename: z.string().max(100), etag }),
  z.looseObject({ action: z.literal("poll"), current_bookmark: id }),
]);
const exportSchema = z.looseObject({
  output_format: z.literal("polling"),
  current_bookmark: id.nullish(),
  dump_options: z
    .looseObject({
      no_schema: z.boolean().nullish(),
      no_data: z.boolean().nullish(),
      tables: z.array(z.string().max(200)).max(1000).nullish(),
    })
    .nullish(),
});

export function addD1FileRoutes(add: AddRoute, deps: D1Files): void {
  add(
    { method: "POST", path: `${ONE}/import`, rule: DEPLOY, body: importSchema, summary: "Imports a file of SQL" },
    (call) => importStep(deps, call),
  );
  add({ method: "POST", path: `${ONE}/export`, rule: DEPLOY, body: exportSchema, summary: "Exports as SQL" }, (call) =>
    exportStep(deps, call),
  );
}

/** Of the database, not of its name, which may pass to another one. */
const ownerOf = ({ account, database }: DatabaseRef) => `${account} ${database}`;

async function importStep(deps: D1Files, call: Call<unknown, z.infer<typeof importSchema>>): Promise<object> {
  const { body, account, actor, signal } = call;
  const { id: database, name } = expectDatabase(deps.databases, refOf(call));
  const of = { account, database };
  const owner = ownerOf(of);
  if (body.action === "init") {
    const upload = { md5: body.etag.toLowerCase(), limit: IMPORT_LIMIT };
    const address = deps.transfers.expect(owner, upload);
    return { success: true, type: "import", filename: `${address.id}.sql`, upload_url: address.url, messages: [] };
  }
  const job =
    body.action === "poll"
      ? deps.jobs.find(owner, body.current_bookmark)
      : startImport(deps, { of, owner, actor, transfer: body.filename.replace(/\.sql$/, "") });
  const { outcome } = await deps.jobs.settled(job, signal);
  const base = { success: true, type: "import", at_bookmark: job.id };
  if (!outcome) return { ...base, status: "active", messages: [`Importing into "${name}"`], errors: [] };
  if ("error" in outcome) throw outcome.error;
  return { ...base, status: "complete", messages: [], errors: [], result: outcome.value };
}

function startImport(
  { databases, transfers, jobs }: D1Files,
  { of, owner, actor, transfer }: { of: DatabaseRef; owner: string; actor: Actor; transfer: string },
): Job<unknown> {
  const file = transfers.claim(transfer, owner);
  if (!file) {
    throw new WrkstError("ERR_NOT_FOUND", "there is no file to import", { hint: "upload it again, then import it" });
  }
  try {
    return jobs.start(owner, () => importFile(databases, { of, file, actor }));
  } catch (error) {
    void file.release();
    throw error;
  }
}

/** Clients print the bookmark as that of the state now, and people go back to it: so there is one. */
async function importFile(
  databases: Databases,
  { of, file, actor }: { of: DatabaseRef; file: Arrived; actor: Actor },
): Promise<object> {
  try {
    const { queries, meta } = await databases.import(of, file.path, actor);
    const { id: final_bookmark } = await databases.snapshot(of, "import", actor);
    return { final_bookmark, num_queries: queries, meta };
  } finally {
    await file.release();
  }
}

async function exportStep(deps: D1Files, call: Call<unknown, z.infer<typeof exportSchema>>): Promise<object> {
  const { body, account, signal } = call;
  const { id: database, name } = expectDatabase(deps.databases, refOf(call));
  const of = { account, database };
  const owner = ownerOf(of);
  const job = body.current_bookmark
    ? deps.jobs.find(owner, body.current_bookmark)
    : deps.jobs.start(owner, () => exportFile(deps, { of, name, options: body.dump_options ?? {} }));
  const { outcome } = await deps.jobs.settled(job, signal);
  const base = { success: true, type: "export", at_bookmark: job.id };
  if (!outcome) return { ...base, status: "active", messages: [`Exporting "${name}"`] };
  if ("error" in outcome) throw outcome.error;
  return { ...base, status: "complete", messages: [], result: outcome.value };
}

async function exportFile(
  { databases, transfers }: D1Files,
  { of, name, options }: { of: DatabaseRef; name: string; options: Record<string, unknown> },
): Promise<object> {
  const { no_schema, no_data, tables } = options as NonNullable<z.infer<typeof exportSchema>["dump_options"]>;
  const wanted = present({
    noSchema: no_schema ?? undefined,
    noData: no_data ?? undefined,
    tables: tables ?? undefined,
  });
  const path = await databases.export(of, wanted);
  const filename = `${name}.sql`;
  const { url } = transfers.offer(ownerOf(of), { path, name: filename, type: "application/sql" });
  return { filename, signed_url: url };
}
