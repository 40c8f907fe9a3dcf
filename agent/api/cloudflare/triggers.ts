// How requests reach a function: the base domain's host, custom hosts (asked for as routes of zones), schedules.

import { z } from "zod";
import { MAIN, permits } from "../../auth/index.js";
import { WrkstError } from "../../errors.js";
import { parseExactHost } from "../../manifest/routes.js";
import type { FunctionRef, FunctionSettings, HostKind } from "../../model.js";
import { present } from "../requests.js";
import type { Call } from "../routes.js";
import { pageOf } from "./envelope.js";
import { type AddRoute, type CloudflareDeps, DEPLOY, READ, S } from "./index.js";
import { findScript, refOf } from "./scripts.js";

const W = "/accounts/:account/workers/workers/:name";
const SELF = { action: "self", of: "caller" } as const;

const routesSchema = z.array(z.looseObject({ pattern: z.string().max(300) })).max(200);
const subdomainSchema = z.looseObject({ enabled: z.boolean().optional(), previews_enabled: z.boolean().optional() });
const hostsSchema = z.array(z.looseObject({ hostname: z.string().max(253) })).max(200);
const recordsSchema = z.looseObject({ origins: hostsSchema });

export function addTriggerRoutes(add: AddRoute, deps: CloudflareDeps): void {
  addSubdomainRoutes(add, deps);
  addZoneRoutes(add, deps);
  addHostRoutes(add, deps);
  addScheduleRoutes(add, deps);
}

function addSubdomainRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const { deploys } = deps;
  add(
    { method: "GET", path: "/accounts/:account/workers/subdomain", rule: READ, summary: "Where functions answer" },
    () => ({ subdomain: subdomainOf(deps) }),
  );
  const path = `${S}/subdomain`;
  add({ method: "GET", path, rule: READ, summary: "Which hosts of the base domain answer" }, (call) =>
    showSubdomain(deploys.settings(refOf(call))),
  );
  add({ method: "POST", path, rule: DEPLOY, summary: "Switches those hosts", body: subdomainSchema }, async (call) => {
    const { enabled, previews_enabled: previews } = call.body;
    const changes = present({ enabled, previews });
    return showSubdomain(await deploys.setSettings(refOf(call), changes, call.actor));
  });
  add({ method: "GET", path: W, rule: READ, summary: "A function, with its hosts" }, async (call) => {
    const ref = refOf(call);
    const { id, tags, created_on } = await findScript(deps, ref);
    const { protocol, port } = new URL(deps.publicUrl());
    const host = `${ref.name}.${deps.baseDomain}${port ? `:${port}` : ""}`;
    const own = { url: `${protocol}//${host}`, preview_url_suffix: `--${host}` };
    return { id, name: id, tags, created_on, subdomain: { ...showSubdomain(deploys.settings(ref)), ...own } };
  });
}

/** Older clients print `https://<function>.<this>.workers.dev`: with a fragment, the address is ours. */
function subdomainOf({ publicUrl, baseDomain }: CloudflareDeps): string {
  const { port } = new URL(publicUrl());
  return `${baseDomain}${port ? `:${port}` : ""}/#`;
}

function showSubdomain({ enabled, previews }: FunctionSettings): object {
  return { enabled, previews_enabled: previews };
}

/** There are no zones: any host may be asked for, and stands for itself. Whether it is free is seen when it is claimed. */
function addZoneRoutes(add: AddRoute, { platform }: CloudflareDeps): void {
  add({ method: "GET", path: "/zones", rule: SELF, summary: "The host, as a zone" }, ({ req, identity }) => {
    const { name } = req.query;
    const hosts = typeof name === "string" && isHost(name) ? [name.toLowerCase()] : [];
    const account = { id: identity.account, name: identity.account };
    return pageOf(
      hosts.map((host) => ({ id: host, name: host, status: "active", account })),
      req.query,
    );
  });
  add(
    { method: "GET", path: "/zones/:zone/workers/routes", rule: SELF, summary: "Custom hosts under a host" },
    async ({ params, identity }) => {
      const isUnder = (host: string) => host === params.zone || host.endsWith(`.${params.zone}`);
      const all = await platform.functions({});
      return all
        .filter(({ account }) => account === identity.account)
        .flatMap(({ name, hosts = [] }) => hosts.filter(isUnder).map((host) => ({ host, name })))
        .map(({ host, name }) => ({ id: host, pattern: `${host}/*`, script: name }));
    },
  );
}

function isHost(name: string): boolean {
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i.test(name) && name.length <= 253;
}

function addHostRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const { deploys } = deps;
  const replace = async (call: Call, kind: HostKind, patterns: string[]) => {
    const ref = refOf(call);
    const hosts = [...new Set(patterns.map(parseExactHost))];
    await refuseUngranted(deps, call, ref, hosts);
    await deploys.setHosts(ref, { kind, hosts }, call.actor);
    return hosts;
  };
  add(
    {
      method: "PUT",
      path: `${S}/routes`,
      rule: DEPLOY,
      summary: "Custom hosts asked for as routes, replacing those",
      body: routesSchema,
    },
    async (call) => {
      const patterns = call.body.map(({ pattern }) => pattern);
      const hosts = await replace(call, "route", patterns);
      return hosts.map((host) => ({ id: host, pattern: `${host}/*`, script: call.params.name }));
    },
  );
  add(
    {
      ...{ method: "POST", rule: DEPLOY, body: hostsSchema, summary: "What a change of custom hosts would do" },
      path: `${S}/domains/changeset`,
    },
    (call) => ({ added: call.body, removed: [], updated: [], conflicting: [] }),
  );
  add(
    {
      ...{
        method: "PUT",
        rule: DEPLOY,
        body: recordsSchema,
        summary: "Custom hosts asked for as domains, replacing those",
      },
      path: `${S}/domains/records`,
    },
    async (call) => {
      const names = call.body.origins.map(({ hostname }) => hostname);
      const hosts = await replace(call, "domain", names);
      return hosts.map((hostname) => ({ id: hostname, hostname, service: call.params.name }));
    },
  );
}

/** Outside `main` a host is an administrator's to give; whoever has it may keep it or give it up (SECURITY.md B7b). */
async function refuseUngranted(
  { platform }: CloudflareDeps,
  { account, identity }: Call,
  { name }: FunctionRef,
  hosts: string[],
): Promise<void> {
  if (account === MAIN || permits(identity, "admin", account)) return;
  const held = (await platform.function(name))?.hosts ?? [];
  const host = hosts.find((wanted) => !held.includes(wanted));
  if (host === undefined) return;
  throw new WrkstError("ERR_FORBIDDEN", `the host "${host}" is not granted to account "${account}"`, {
    hint: "an administrator grants it by deploying the function with this route once, with account and routes as here",
  });
}

function addScheduleRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const path = `${S}/schedules`;
  add({ method: "GET", path, rule: READ, summary: "Schedules: none" }, async (call) => {
    await findScript(deps, refOf(call));
    return { schedules: [] };
  });
  add(
    { method: "PUT", path, rule: DEPLOY, summary: "Schedules: only none", body: z.array(z.unknown()).max(100) },
    (call) => {
      if (call.body.length === 0) return { schedules: [] };
      throw new WrkstError("ERR_UNSUPPORTED", "cron triggers are not supported here", {
        hint: "call the function's URL from a scheduler of the machine, for example cron with curl",
      });
    },
  );
}
