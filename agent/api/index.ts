// The HTTP API of the agent: one gate in front, then the routes. Invariant: deny by default, decided in one place.

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import { createAttempts, subscriberOf } from "../auth/attempts.js";
import type { Auth, Identity } from "../auth/index.js";
import type { Config } from "../config.js";
import { WrkstError } from "../errors.js";
import type { Log } from "../log.js";
import type { Metrics } from "../metrics/index.js";
import type { Databases } from "../reconcile/databases.js";
import type { Deploys } from "../reconcile/deploys.js";
import type { CommitPreviews } from "../reconcile/previews.js";
import type { Sources } from "../reconcile/sources.js";
import type { Telling } from "../reconcile/telling.js";
import type { DeliveryRecords, WriteRecords } from "../store/index.js";
import { addAccessRoutes } from "./access-routes.js";
import { dropSmallBody } from "./body.js";
import { type Client, clientOf } from "./client.js";
import { envelopeOf } from "./cloudflare/envelope.js";
import { addCloudflareRoutes, isCloudflareShaped } from "./cloudflare/index.js";
import { createUploadSpace } from "./cloudflare/upload.js";
import { addCommitStatusRoutes } from "./commit-status-routes.js";
import { addDatabaseFileRoutes } from "./database-file-routes.js";
import { addDatabaseRoutes } from "./database-routes.js";
import { addEventRoutes } from "./event-routes.js";
import { addFunctionRoutes, addLifeRoutes } from "./function-routes.js";
import { addGitRoute, type GitHandler } from "./git-route.js";
import { addHealthRoutes, HEALTH } from "./health-routes.js";
import { createIdempotency } from "./idempotency.js";
import type { Handler, ListenOptions } from "./listen.js";
import { type Audit, addLoginRoutes, isOfLogin, sendLoginError } from "./login.js";
import { addMetricsRoute } from "./metrics-route.js";
import { addNotificationRoutes } from "./notification-routes.js";
import { addOpenApiRoute } from "./openapi.js";
import type { Platform } from "./platform.js";
import { addPlatformRoutes } from "./platform-routes.js";
import { addPreviewRoutes } from "./preview-routes.js";
import { foreseen, problemOf, sendProblem } from "./problem.js";
import { createRates } from "./rates.js";
import { createRoutes, type RouteRecord } from "./routes.js";
import { addSourceChangeRoutes } from "./source-routes.js";
import { addTailRoutes } from "./tail-routes.js";
import { createTailCalls, type TailParts } from "./tails.js";
import { addTransferRoutes } from "./transfer-routes.js";
import { createTransfers } from "./transfers.js";
import { createWebhooks } from "./webhooks/receive.js";
import { addWebhookRoute } from "./webhooks/route.js";
import { addWebhookSetupRoutes } from "./webhooks/setup-routes.js";

export { type Handler, type Listening, type ListenOptions, listenOn } from "./listen.js";
export type { EventPage, EventQuery, FunctionDetail, Job, Platform, SyncRequest } from "./platform.js";
export type { TailParts } from "./tails.js";

export interface ApiOptions {
  platform: Platform;
  /** The repositories that are followed. */
  sources: Sources;
  /** What others are told. */
  telling: Telling;
  /** Of their branches and commits. */
  previews: CommitPreviews;
  deploys: Deploys;
  databases: Databases;
  metrics: Metrics;
  auth: Auth;
  /** Keeps an audit event. */
  audit: Audit;
  /** Writes that carried an `Idempotency-Key`. */
  writes: WriteRecords;
  /** Webhooks that were handled. */
  deliveries: DeliveryRecords;
  /** Git over HTTP of the embedded repository; `pathInfo` is what follows `/git`, without query. */
  git?: GitHandler;
  config: Pick<Config, "trustedProxies" | "baseDomain">;
  /** Origin without trailing slash. */
  publicUrl: () => string;
  /** Folder for uploads while they are read. */
  uploads: string;
  log: Log;
  /** What functions say. */
  tail: TailParts;
  now?: () => number;
}

export interface Api {
  /** To be given to `listenOn`. */
  handler: Handler;
  /** As well: takes WebSockets. */
  upgrade: NonNullable<ListenOptions["upgrade"]>;
  /** Every route with its rule: the tests of the gate walk them. */
  routes: RouteRecord[];
}

export function createApi(options: ApiOptions): Api {
  const { platform, deploys, config, log, now = Date.now } = options;
  const clients = new WeakMap<IncomingMessage, Client>();
  const identities = new WeakMap<IncomingMessage, Identity>();
  const clientFor = (req: IncomingMessage) => clients.get(req) ?? { address: "unknown", requestId: randomUUID() };

  const app = express();
  app.disable("x-powered-by").disable("etag").enable("case sensitive routing").enable("strict routing");
  app.use((req, res, next) => {
    prepareAnswer(res, clientFor(req).requestId);
    logAnswer({ req, res, log, client: clientFor(req), since: now(), now });
    next();
  });
  const routes = createRoutes({
    app,
    owners: { ownerOf: (name) => platform.ownerOf(name), isAccount: options.auth.isAccount },
    identityOf: (req) => identities.get(req),
    clientOf: clientFor,
    idempotency: createIdempotency(options.writes),
  });
  const rates = { subjects: createRates({ now }), addresses: createRates({ now }) };
  app.use(async (req, res, next) => {
    if (HEALTH.has(req.path)) return next();
    if (routes.isOpen(req.path)) {
      rates.addresses.count(subscriberOf(clientFor(req).address), req, res);
      return next();
    }
    const identity = await options.auth.authenticate(req.headers.authorization, clientFor(req).address);
    if (!identity) return refuse(req, res);
    rates.subjects.count(identity.subject, req, res);
    identities.set(req, identity);
    next();
  });
  addHealthRoutes(routes, options);
  addMetricsRoute(routes, options.metrics);
  addPlatformRoutes(routes, options);
  addSourceChangeRoutes(routes, options);
  addCommitStatusRoutes(routes, options);
  addNotificationRoutes(routes, options);
  addEventRoutes(routes, options);
  addLifeRoutes(routes, options);
  addWebhookRoute(routes, webhooksOf(options), options.metrics);
  addWebhookSetupRoutes(routes, { platform, secrets: options.sources, publicUrl: options.publicUrl });
  if (options.git) addGitRoute(routes, options.git);
  addLoginRoutes(routes, options);
  addAccessRoutes(routes, options);
  addOpenApiRoute(routes, options);
  addFunctionRoutes(routes, { platform, deploys, now });
  addPreviewRoutes(routes, options);
  const uploads = createUploadSpace(options.uploads);
  const transfers = createTransfers({ folder: options.uploads, publicUrl: options.publicUrl, now });
  addTransferRoutes(routes, transfers);
  addDatabaseRoutes(routes, options);
  addDatabaseFileRoutes(routes, options);
  addCloudflareRoutes(routes, { ...options, transfers, uploads, baseDomain: config.baseDomain });
  const calls = createTailCalls(options.tail, options.publicUrl);
  addTailRoutes(routes, { calls, platform, auth: options.auth });
  app.use((req) => {
    throw new WrkstError("ERR_NO_ROUTE", `there is no "${req.method} ${req.path}" here`);
  });
  app.use(async (error: unknown, req: Request, res: Response, _next: NextFunction) => {
    const { requestId } = clientFor(req);
    await dropSmallBody(req);
    if (res.destroyed) return;
    if (!foreseen(error)) log.error({ err: error, requestId }, "request failed");
    const refusal = foreseen(error);
    if (refusal && isOfLogin(req.path) && !res.headersSent) return sendLoginError({ req, res }, refusal);
    const problem = problemOf(error, requestId);
    if (isCloudflareShaped(req.path))
      sendProblem(res, problem, { type: "application/json", body: envelopeOf(problem, req.path) });
    else sendProblem(res, problem);
  });

  return {
    handler(req, res, via) {
      const { trustedProxies } = config;
      const remoteAddress = req.socket.remoteAddress;
      clients.set(req, clientOf(req.headers, { via, remoteAddress, trustedProxies, createId: randomUUID }));
      app(req, res);
    },
    upgrade: calls.upgrade,
    routes: routes.records,
  };
}

function webhooksOf({ platform, auth, sources, deliveries, now = Date.now }: ApiOptions) {
  return createWebhooks({
    ...{ platform, auth, now, deliveries, secretOf: sources.webhookSecret, find: sources.find },
    // Counted apart, so that a forge with a wrong secret does not lock out the people behind the same address.
    attempts: createAttempts({ now }),
  });
}

function refuse(req: Request, res: Response): never {
  const scheme = req.path.startsWith("/git/") ? 'Basic realm="wrkst", charset="UTF-8"' : 'Bearer realm="wrkst"';
  res.setHeader("www-authenticate", scheme);
  throw new WrkstError("ERR_UNAUTHORIZED", "expected a token, received none that is known", {
    hint: 'send "Authorization: Bearer <token>"; the administrator\'s lies in DATA_DIR/secrets/admin-token',
  });
}

function prepareAnswer(res: Response, requestId: string): void {
  res.setHeader("x-request-id", requestId);
  res.setHeader("x-content-type-options", "nosniff");
  res.setHeader("cache-control", "no-store");
}

interface Exchange {
  req: Request;
  res: Response;
  log: Log;
  client: Client;
  since: number;
  now: () => number;
}

/** One line when the answer is out; calm unless something changed or failed. Queries are left out. */
function logAnswer({ req, res, log, client, since, now }: Exchange): void {
  const { method, path } = req;
  res.once("close", () => {
    const { statusCode: status } = res;
    const changes = method !== "GET" && method !== "HEAD" && !path.startsWith("/git/") && status < 400;
    const level = status >= 500 && status !== 501 && status !== 503 ? "warn" : changes ? "info" : "debug";
    log[level]({ method, path, status, ms: now() - since, ...client }, "request");
  });
}
