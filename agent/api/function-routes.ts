// `/api/v1/functions/:name`: what a person does to a function: pins, rollback, restore, resume, removal; and why it is as it is.

import { z } from "zod";
import { permits } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import type { Deploys } from "../reconcile/deploys.js";
import { withoutActor } from "./event-routes.js";
import { unknownFunction } from "./gate.js";
import type { Platform } from "./platform.js";
import { withoutCredentials } from "./platform-routes.js";
import { parseName, present } from "./requests.js";
import { type Call, Reply, type Routes } from "./routes.js";
import { explain } from "./why.js";

const SELF = { action: "self", of: "caller" } as const;
const READ = { action: "read", of: "function" } as const;
const DEPLOY = { action: "deploy", of: "function" } as const;
const F = "/api/v1/functions/:name";

const version = z.string().min(1).max(100).describe("An id, a prefix of it (8 or more), a commit, an alias or a tag");
const reason = z.string().max(1000).optional();
const pinSchema = z.strictObject({
  version,
  reason,
  expires: z.iso.datetime({ offset: true }).optional().describe("When the hold ends by itself"),
});
const rollbackSchema = z.strictObject({
  to: version.optional().describe("Without it, the version that served before"),
  alias: z.literal("latest").optional(),
  reason,
});
const suspendSchema = z.strictObject({
  reason: z.string().min(1).max(1000),
  expires: z.iso.datetime({ offset: true }).optional().describe("When it ends by itself"),
  offline: z.boolean().optional().describe("Refuse requests too"),
});
const forceQuery = z.strictObject({ force: z.enum(["true", "false"]).default("false") });

export interface FunctionRoutesDeps {
  platform: Platform;
  deploys: Deploys;
  now?: () => number;
}

const refOf = ({ account, params }: Pick<Call, "account" | "params">) => ({ account, name: params.name ?? "" });

export function addFunctionRoutes(routes: Routes, deps: FunctionRoutesDeps): void {
  addHoldRoutes(routes, deps);
  addRemovalRoute(routes, deps);
}

export function addLifeRoutes(routes: Routes, { platform, deploys, now = Date.now }: FunctionRoutesDeps): void {
  routes.add(
    { method: "POST", path: `${F}/restore`, rule: DEPLOY, summary: "Brings a removed function back" },
    (call) => platform.restore(call.params.name ?? "", call.identity.name),
  );
  routes.add(
    { method: "POST", path: `${F}/suspend`, rule: DEPLOY, body: suspendSchema, summary: "Lets nothing of it move" },
    (call) => {
      const { reason: why, expires, offline } = call.body;
      const until = expires === undefined ? undefined : parseEnd(expires, now());
      return deploys.suspend(refOf(call), { reason: why, ...present({ expires: until, offline }) }, call.actor);
    },
  );
  routes.add(
    { method: "POST", path: `${F}/resume`, rule: DEPLOY, summary: "Ends a suspension and a quarantine" },
    async (call) => {
      await deploys.resume(refOf(call), call.actor);
      return platform.release(call.params.name ?? "", call.identity.name);
    },
  );
}

function addHoldRoutes(routes: Routes, { deploys, platform, now = Date.now }: FunctionRoutesDeps): void {
  routes.add({ method: "GET", path: `${F}/pins`, rule: READ, summary: "Holds on the function's aliases" }, (call) => ({
    pins: deploys.holds(refOf(call)).filter(({ kind }) => kind !== "suspension"),
    cursor: null,
  }));
  routes.add(
    { method: "PUT", path: `${F}/pins/:alias`, rule: DEPLOY, body: pinSchema, summary: "Holds an alias at a version" },
    (call) => {
      const { expires, ...pin } = call.body;
      const at = expires === undefined ? undefined : parseEnd(expires, now());
      return deploys.pin(
        refOf(call),
        call.params.alias ?? "",
        { ...present(pin), version: pin.version, ...present({ expires: at }) },
        call.actor,
      );
    },
  );
  routes.add(
    { method: "DELETE", path: `${F}/pins/:alias`, rule: DEPLOY, summary: "Releases an alias" },
    async (call) => {
      await deploys.unpin(refOf(call), call.params.alias ?? "", call.actor);
      return new Reply(undefined, { status: 204 });
    },
  );
  routes.add(
    {
      method: "POST",
      path: `${F}/rollback`,
      rule: DEPLOY,
      body: rollbackSchema,
      query: forceQuery,
      summary: "Back to an earlier version",
    },
    (call) => {
      const { to, reason: why } = call.body;
      const force = call.query.force === "true";
      return deploys.rollback(refOf(call), { force, ...present({ to, reason: why }) }, call.actor);
    },
  );
  const promotion = "Gives the version on trial all the traffic";
  routes.add({ method: "POST", path: `${F}/promote`, rule: DEPLOY, summary: promotion }, (call) =>
    deploys.promote(refOf(call), call.actor),
  );
  routes.add({ method: "GET", path: `${F}/why`, rule: SELF, summary: "Why the function is as it is" }, (call) =>
    explainTo(call, { platform, deploys }),
  );
}

function parseEnd(expires: string, now: number): number {
  const at = Date.parse(expires);
  if (at > now) return at;
  throw new WrkstError("ERR_INVALID", 'expected "expires" in the future');
}

/** Of a name that a function of another account has, who declared it too is told what became of the declaration. */
async function explainTo(call: Call, { platform, deploys }: Pick<FunctionRoutesDeps, "platform" | "deploys">) {
  const { identity, params } = call;
  const name = parseName(params.name);
  const mayRead = ({ account }: { account: string }) => permits(identity, "read", account);
  const owner = await platform.function(name);
  const [second] = platform.secondOf(name).filter(mayRead);
  const found = owner && mayRead(owner) ? owner : second && { ...second, deployments: [], versions: [] };
  if (!found) throw unknownFunction(name);
  const isOwn = permits(identity, "logs", found.account);
  const isThere = found.state !== "removed" && found.state !== "name-taken";
  const event = found === owner ? platform.lastEvent(name) : undefined;
  const revision = event?.revision ?? found.revision;
  return explain({
    function: isOwn ? found : withoutCredentials(found),
    holds: isThere ? deploys.holds({ account: found.account, name }) : [],
    lastEvent: isOwn || event === undefined ? event : withoutActor(event),
    history: found.source === null ? {} : historyOf(platform, found.source, revision),
  });
}

/** A function that has no pass of its own yet is not explained by another's. */
function historyOf(platform: Platform, source: string, revision: string | null) {
  const { pass, ...history } = platform.history(source, revision);
  return revision !== null && pass ? { ...history, pass } : history;
}

function addRemovalRoute(routes: Routes, { deploys }: FunctionRoutesDeps): void {
  const summary = "Removes a function; it can be restored";
  routes.add({ method: "DELETE", path: F, rule: DEPLOY, query: forceQuery, summary }, async (call) => {
    await deploys.remove(refOf(call), { force: call.query.force === "true" }, call.actor);
    return new Reply(undefined, { status: 204 });
  });
}
