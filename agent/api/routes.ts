// The routes under `/api/v1`, and those of health. Invariant: a route that is not in the table `OPEN_PATHS` needs a credential.

import type { Request, Response, Router } from "express";
import type { Identity } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import type { Job, Platform } from "./platform.js";
import { parseName, parseQuery, present, QUERY } from "./requests.js";
import type { WebhookResult, Webhooks } from "./webhooks.js";

/** What is answered without a credential. Webhooks bring a signature instead. */
export const OPEN_PATHS = [/^\/healthz$/, /^\/readyz$/, /^\/health$/, /^\/webhooks\/[^/]+\/[^/]+$/];

export interface RouteDeps {
  platform: Platform;
  webhooks: Webhooks;
  addressOf: (req: Request) => string;
  /** Who asks; only behind the gate. */
  identityOf: (req: Request) => Identity;
}

export function addRoutes(app: Router, deps: RouteDeps): void {
  addHealthRoutes(app, deps);
  addReadRoutes(app, deps);
  addWriteRoutes(app, deps);
  addWebhookRoute(app, deps);
}

function addHealthRoutes(app: Router, { platform }: RouteDeps): void {
  app.get("/health", (_req, res) => {
    res.json({ status: "healthy" });
  });
  app.get("/healthz", (_req, res) => {
    const { state, restarts } = platform.runtime();
    res.json({ status: state === "running" ? "healthy" : "degraded", runtime: { state, restarts } });
  });
  app.get("/readyz", (_req, res) => {
    const answer = platform.ready();
    res.status(answer.ready ? 200 : 503).json(answer);
  });
}

function addReadRoutes(app: Router, { platform }: RouteDeps): void {
  app.get("/api/v1/status", async (req, res) => {
    parseQuery(QUERY.none, req.query);
    res.json(await platform.status());
  });
  app.get("/api/v1/functions", async (req, res) => {
    const { after, limit, ...filter } = parseQuery(QUERY.functions, req.query);
    const all = (await platform.functions(present(filter))).sort((a, b) => (a.name < b.name ? -1 : 1));
    const rest = after === undefined ? all : all.filter(({ name }) => name > after);
    const functions = rest.slice(0, limit);
    res.json({ functions, cursor: rest.length > limit ? (functions.at(-1)?.name ?? null) : null });
  });
  app.get("/api/v1/functions/:name", async (req, res) => {
    const name = parseName(req.params.name);
    res.json((await platform.function(name)) ?? unknown("function", name));
  });
  app.get("/api/v1/events", async (req, res) => {
    const { limit, ...query } = parseQuery(QUERY.events, req.query);
    res.json(await platform.events({ limit, ...present(query) }));
  });
  app.get("/api/v1/sources", (req, res) => {
    parseQuery(QUERY.none, req.query);
    res.json({ sources: platform.sources(), cursor: null });
  });
  app.get("/api/v1/sources/:name", (req, res) => {
    const name = parseName(req.params.name);
    res.json(platform.sources().find((source) => source.name === name) ?? unknown("source", name));
  });
  app.get("/api/v1/jobs/:id", (req, res) => {
    const { id } = req.params;
    if (!/^[\w-]{1,64}$/.test(id)) throw new WrkstError("ERR_INVALID", "expected the id of a job");
    res.json(platform.job(id) ?? unknown("job", id));
  });
}

function addWriteRoutes(app: Router, { platform, identityOf }: RouteDeps): void {
  app.post("/api/v1/sources/:name/sync", async (req, res) => {
    const source = parseName(req.params.name);
    const { wait, prune } = parseQuery(QUERY.sync, req.query);
    const author = identityOf(req).name;
    const signal = goneSignal(res);
    const outcome = await platform.sync(source, { wait, prune, signal, author, cause: "sync", force: true });
    if ("phases" in outcome) res.json(outcome);
    else sendJob(res, outcome);
  });
  app.post("/api/v1/functions/:name/restore", async (req, res) => {
    parseQuery(QUERY.none, req.query);
    res.json(await platform.restore(parseName(req.params.name), identityOf(req).name));
  });
  app.post("/api/v1/functions/:name/resume", async (req, res) => {
    parseQuery(QUERY.none, req.query);
    res.json(await platform.release(parseName(req.params.name), identityOf(req).name));
  });
}

function addWebhookRoute(app: Router, { webhooks, addressOf }: RouteDeps): void {
  app.post("/webhooks/:source/:provider", async (req, res) => {
    const { source, provider } = req.params;
    const { wait } = parseQuery(QUERY.wait, req.query);
    sendWebhookResult(
      res,
      await webhooks(req, { source, provider, wait, address: addressOf(req), signal: goneSignal(res) }),
    );
  });
}

function sendWebhookResult(res: Response, outcome: WebhookResult): void {
  if (outcome.result === "accepted") sendJob(res, outcome.job);
  else res.json(outcome.result === "done" ? outcome.report : outcome);
}

function sendJob(res: Response, job: Job): void {
  const url = `/api/v1/jobs/${job.id}`;
  res.status(202).location(url).json({ job: job.id, source: job.source, state: job.state, url });
}

/** Aborted when the client is gone before the answer. */
function goneSignal(res: Response): AbortSignal {
  const controller = new AbortController();
  res.once("close", () => controller.abort());
  return controller.signal;
}

function unknown(kind: string, name: string): never {
  throw new WrkstError("ERR_NOT_FOUND", `there is no ${kind} "${name}"`, {
    hint: kind === "function" ? "known are those of GET /api/v1/functions" : undefined,
  });
}
