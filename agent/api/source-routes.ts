// `/api/v1/sources`: adding, editing, removing and suspending what is followed. Invariant: no credential is ever answered.

import { z } from "zod";
import type { Auth } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import type { SourceCredentials, SourceDetail, SourceSettings } from "../model.js";
import type { Sources } from "../reconcile/sources.js";
import { parseName, present, QUERY } from "./requests.js";
import { Reply, type Routes } from "./routes.js";

const RULE = { action: "admin", of: "main" } as const;
const S = "/api/v1/sources/:source";

const text = (most: number) => z.string().max(most);
const secret = text(64 * 1024)
  .nullable()
  .optional();
const settings = {
  repo: text(2_000).min(1).describe('URL (https, ssh) without credentials, or "embedded"'),
  follow: z
    .union([z.strictObject({ branch: text(200) }), z.strictObject({ tags: text(200) })])
    .describe("A branch, or a range of versions whose newest tag is followed"),
  path: text(1_000).describe("Folder inside the repository"),
  account: text(64).describe("Owner of what it declares"),
  interval: z
    .number()
    .int()
    .nullable()
    .describe("Milliseconds between two looks; null: only webhooks, pushes and syncs"),
  prune: z
    .union([z.literal("never"), z.strictObject({ percent: z.number(), count: z.number().int() })])
    .describe("Removals of one pass that need no person's word"),
  atomic: z.boolean().describe("All functions of a revision switch, or none"),
  previews: z.array(text(200)).max(50).describe("Branches that get previews, as globs"),
  previewSecrets: z.boolean().describe("Whether previews get the functions' secrets"),
  verify: z
    .strictObject({
      what: z.enum(["commit", "tag"]),
      signers: text(256 * 1024).optional(),
      keyring: text(256 * 1024).optional(),
    })
    .nullable()
    .describe("Who must have signed"),
};
const credentials = z
  .strictObject({ username: text(200).nullable().optional(), token: secret, sshKey: secret, knownHosts: secret })
  .default({})
  .describe("Sealed, and never answered; null takes one away");

const DEFAULTS: Omit<SourceSettings, "repo"> = {
  follow: { branch: "main" },
  path: "",
  account: "main",
  interval: 10_000,
  prune: { percent: 50, count: 3 },
  atomic: false,
  previews: [],
  previewSecrets: false,
  verify: null,
};

const editSchema = z.strictObject({ ...z.object(settings).partial().shape, credentials });
const addSchema = z.strictObject({ ...editSchema.shape, name: text(63), repo: settings.repo });
const suspendSchema = z.strictObject({
  reason: text(1_000).optional(),
  expires: z.iso.datetime({ offset: true }).optional().describe("When it ends by itself"),
});

export interface SourceRoutesDeps {
  sources: Pick<Sources, "find" | "add" | "edit" | "remove" | "suspend" | "resume">;
  auth: Pick<Auth, "isAccount">;
}

export function addSourceChangeRoutes(routes: Routes, deps: SourceRoutesDeps): void {
  addChangeRoutes(routes, deps);
  addSuspensionRoutes(routes, deps);
}

/** @throws WrkstError ERR_NOT_FOUND */
export function expectSource(sources: Pick<Sources, "find">, raw: string | undefined): SourceDetail {
  const name = parseName(raw);
  const found = sources.find(name);
  if (found) return found;
  throw new WrkstError("ERR_NOT_FOUND", `there is no source "${name}"`, { hint: "see: wrkst source list" });
}

function addChangeRoutes(routes: Routes, { sources, auth }: SourceRoutesDeps): void {
  routes.add(
    { method: "POST", path: "/api/v1/sources", rule: RULE, body: addSchema, summary: "Follows another repository" },
    async ({ body, actor }) => {
      const { name, credentials: given, ...told } = body;
      const wanted = { ...DEFAULTS, ...present(told), repo: told.repo } as SourceSettings;
      if (!auth.isAccount(wanted.account)) throw unknownAccount(wanted.account);
      const added = await sources.add(parseName(name), wanted, given as SourceCredentials, actor);
      return new Reply(added, { status: 201, headers: { location: `/api/v1/sources/${added.name}` } });
    },
  );
  routes.add(
    { method: "PATCH", path: S, rule: RULE, body: editSchema, summary: "Changes how a source is followed" },
    ({ params, body, actor }) => {
      const { name } = expectSource(sources, params.source);
      const { credentials: given, ...changes } = body;
      return sources.edit(name, present(changes) as Partial<SourceSettings>, given as SourceCredentials, actor);
    },
  );
  routes.add(
    { method: "DELETE", path: S, rule: RULE, query: QUERY.removal, summary: "Follows a source no longer" },
    async ({ params, query, actor }) => {
      await sources.remove(expectSource(sources, params.source).name, query, actor);
      return new Reply(undefined, { status: 204 });
    },
  );
}

function addSuspensionRoutes(routes: Routes, { sources }: SourceRoutesDeps): void {
  routes.add(
    { method: "POST", path: `${S}/suspend`, rule: RULE, body: suspendSchema, summary: "Lets nothing of a source move" },
    ({ params, body, actor }) => {
      const { reason, expires } = body;
      const end = expires === undefined ? undefined : Date.parse(expires);
      return sources.suspend(expectSource(sources, params.source).name, present({ reason, expires: end }), actor);
    },
  );
  routes.add(
    { method: "POST", path: `${S}/resume`, rule: RULE, summary: "Ends the suspension of a source" },
    async ({ params, actor }) => {
      const { name } = expectSource(sources, params.source);
      await sources.resume(name, actor);
      return expectSource(sources, name);
    },
  );
}

function unknownAccount(account: string): WrkstError {
  return new WrkstError("ERR_INVALID", `there is no account "${account}"`);
}
