// `/api/v1`: what runs, what happened, syncs. What a caller may not read is left out of every list.

import { type Auth, MAIN, permits } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import { countDrift } from "../plan/drift.js";
import type { Sources } from "../reconcile/sources.js";
import { foreign, unknownFunction } from "./gate.js";
import type { FunctionDetail, Job, Platform } from "./platform.js";
import { parseName, present, QUERY } from "./requests.js";
import { type Call, Reply, type Routes } from "./routes.js";
import { expectSource } from "./source-routes.js";
import { explainSource } from "./why.js";

const SELF = { action: "self", of: "caller" } as const;
const READ_MAIN = { action: "read", of: "main" } as const;
const READ_FUNCTION = { action: "read", of: "function" } as const;

export interface PlatformRoutesDeps {
  platform: Platform;
  sources: Pick<Sources, "find">;
  auth: Pick<Auth, "isAccount">;
}

export function addPlatformRoutes(routes: Routes, { platform, sources, auth }: PlatformRoutesDeps): void {
  addStatusRoutes(routes, platform, auth);
  addSourceRoutes(routes, platform, sources);
}

const readable = ({ identity }: Pick<Call, "identity">) => {
  return ({ account }: { account: string }) => permits(identity, "read", account);
};

function addStatusRoutes(routes: Routes, platform: Platform, auth: Pick<Auth, "isAccount">): void {
  routes.add(
    { method: "GET", path: "/api/v1/status", rule: SELF, query: QUERY.status, summary: "What runs" },
    async (call) => {
      const { account } = call.query;
      if (account !== undefined && !(permits(call.identity, "read", account) && auth.isAccount(account))) {
        throw foreign(account);
      }
      const status = await platform.status();
      const sources = permits(call.identity, "read", MAIN) && (account ?? MAIN) === MAIN ? status.sources : [];
      const functions = status.functions
        .filter(readable(call))
        .filter((one) => one.account === (account ?? one.account));
      return { ...status, sources, functions, drift: countDrift(functions) };
    },
  );
  routes.add(
    { method: "GET", path: "/api/v1/functions", rule: SELF, query: QUERY.functions, summary: "Functions, by name" },
    async (call) => {
      const { after, limit, ...filter } = call.query;
      const all = (await platform.functions(present(filter))).filter(readable(call));
      const sorted = all.sort((a, b) => (a.name < b.name ? -1 : 1));
      const rest = after === undefined ? sorted : sorted.filter(({ name }) => name > after);
      const functions = rest.slice(0, limit);
      return { functions, cursor: rest.length > limit ? (functions.at(-1)?.name ?? null) : null };
    },
  );
  routes.add(
    { method: "GET", path: "/api/v1/functions/:name", rule: READ_FUNCTION, summary: "One function, with its history" },
    async ({ params, identity, account }) => {
      const found = await platform.function(params.name ?? "");
      if (!found) throw unknownFunction(params.name);
      return permits(identity, "logs", account) ? found : withoutCredentials(found);
    },
  );
}

/** Whose credential and address it was is for the function's own account. */
export function withoutCredentials(found: FunctionDetail): FunctionDetail {
  const deployments = found.deployments.map(({ credential: _, address: __, ...deployment }) => deployment);
  return { ...found, deployments };
}

function addSourceRoutes(routes: Routes, platform: Platform, sources: Pick<Sources, "find">): void {
  const find = (raw: string | undefined) => {
    const name = parseName(raw);
    return platform.sources().find((source) => source.name === name) ?? unknown("source", name);
  };
  routes.add({ method: "GET", path: "/api/v1/sources", rule: READ_MAIN, summary: "Sources" }, () => ({
    sources: platform.sources(),
    cursor: null,
  }));
  routes.add({ method: "GET", path: "/api/v1/sources/:source", rule: READ_MAIN, summary: "One source" }, ({ params }) =>
    expectSource(sources, params.source),
  );
  routes.add(
    {
      ...{ method: "GET", path: "/api/v1/sources/:source/why", rule: READ_MAIN },
      summary: "Why the source is as it is",
    },
    async ({ params }) => {
      const source = find(params.source);
      const functions = await platform.functions({ source: source.name });
      return explainSource(source, { functions, history: platform.history(source.name) });
    },
  );
  routes.add(
    {
      ...{ method: "GET", path: "/api/v1/sources/:source/diff", rule: { action: "sync", of: "main" } },
      ...{ query: QUERY.diff, summary: "What a revision would change" },
    },
    ({ params, query, signal }) => platform.diff(find(params.source).name, query.ref, signal),
  );
  routes.add(
    {
      ...{ method: "POST", path: "/api/v1/sources/:source/sync", rule: { action: "sync", of: "main" } },
      ...{ query: QUERY.sync, summary: "A pass of the source" },
    },
    async ({ params, query, identity, signal }) => {
      const request = { ...query, signal, author: identity.name, cause: "sync", force: true } as const;
      const outcome = await platform.sync(parseName(params.source), request);
      return "phases" in outcome ? outcome : jobReply(outcome);
    },
  );
  routes.add(
    { method: "GET", path: "/api/v1/jobs/:id", rule: READ_MAIN, summary: "A sync on its way" },
    ({ params }) => {
      const { id = "" } = params;
      return platform.job(id) ?? unknown("job", id);
    },
  );
}

export function jobReply(job: Job): Reply {
  const url = `/api/v1/jobs/${job.id}`;
  return new Reply(
    { job: job.id, source: job.source, state: job.state, url },
    { status: 202, headers: { location: url } },
  );
}

function unknown(kind: string, name: string): never {
  throw new WrkstError("ERR_NOT_FOUND", `there is no ${kind} "${name}"`);
}
