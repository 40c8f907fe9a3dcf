// The HTTP API of the agent: one gate in front, then the routes. Invariant: deny by default, decided in one place.

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import { createAttempts } from "../auth/attempts.js";
import type { Auth, Identity } from "../auth/index.js";
import type { Config } from "../config.js";
import { WrkstError } from "../errors.js";
import type { Log } from "../log.js";
import { declaredSize } from "./body.js";
import { type Client, clientOf } from "./client.js";
import type { Handler } from "./listen.js";
import type { Platform } from "./platform.js";
import { foreseen, problemOf, sendProblem } from "./problem.js";
import { addRoutes, OPEN_PATHS } from "./routes.js";
import { createWebhooks } from "./webhooks.js";

export { type Handler, type Listening, type ListenOptions, listenOn } from "./listen.js";
export type { EventPage, EventQuery, FunctionDetail, Job, Platform, SyncRequest } from "./platform.js";

export interface ApiOptions {
  platform: Platform;
  auth: Pick<Auth, "authenticate">;
  /** Git over HTTP of the embedded repository; `pathInfo` is what follows `/git`, without query. */
  git?: (req: IncomingMessage, res: ServerResponse, pathInfo: string, who: string) => void;
  config: Pick<Config, "trustedProxies" | "webhookSecret">;
  log: Log;
  now?: () => number;
}

export interface Api {
  /** To be given to `listenOn`. */
  handler: Handler;
  /** Method and path of every route, for the test of the gate. */
  routes: { method: string; path: string }[];
}

/** Largest body of the routes that read none. */
const MAX_IGNORED_BODY = 64 * 2 ** 10;

export function createApi(options: ApiOptions): Api {
  const { platform, config, log, now = Date.now } = options;
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
  app.use(async (req, res, next) => {
    if (OPEN_PATHS.some((path) => path.test(req.path))) return next();
    const identity = await options.auth.authenticate(req.headers.authorization, clientFor(req).address);
    if (!identity) return refuse(req, res);
    identities.set(req, identity);
    next();
  });

  function refuse(req: Request, res: Response): never {
    const scheme = req.path.startsWith("/git/") ? 'Basic realm="wrkst", charset="UTF-8"' : 'Bearer realm="wrkst"';
    res.setHeader("www-authenticate", scheme);
    throw new WrkstError("ERR_UNAUTHORIZED", "expected a token, received none that is known", {
      hint: 'send "Authorization: Bearer <token>"; the administrator\'s lies in DATA_DIR/secrets/admin-token',
    });
  }

  if (options.git) addGitRoute(app, options.git, (req) => identities.get(req)?.name ?? "unknown");
  const webhooks = createWebhooks({
    platform,
    secretOf: (source) => (source === "default" ? config.webhookSecret : undefined),
    // Counted apart, so that a forge with a wrong secret does not lock out the people behind the same address.
    attempts: createAttempts({ now }),
  });
  addRoutes(app.use(refuseLargeBodies), {
    platform,
    webhooks,
    addressOf: (req) => clientFor(req).address,
    identityOf: (req) => identities.get(req) ?? denied(),
  });
  app.use((req) => {
    throw new WrkstError("ERR_NOT_FOUND", `there is no "${req.method} ${req.path}" here`);
  });
  app.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    const { requestId } = clientFor(req);
    if (res.destroyed) return;
    if (!foreseen(error)) log.error({ err: error, requestId }, "request failed");
    sendProblem(res, problemOf(error, requestId));
  });

  return {
    handler(req, res, via) {
      const { trustedProxies } = config;
      const remoteAddress = req.socket.remoteAddress;
      clients.set(req, clientOf(req.headers, { via, remoteAddress, trustedProxies, createId: randomUUID }));
      app(req, res);
    },
    routes: routesOf(app),
  };
}

function denied(): never {
  throw new WrkstError("ERR_UNAUTHORIZED", "expected a token");
}

function prepareAnswer(res: Response, requestId: string): void {
  res.setHeader("x-request-id", requestId);
  res.setHeader("x-content-type-options", "nosniff");
  res.setHeader("cache-control", "no-store");
}

function refuseLargeBodies(req: Request, _res: Response, next: NextFunction): void {
  if (!req.path.startsWith("/webhooks/") && (declaredSize(req) ?? 0) > MAX_IGNORED_BODY) {
    throw new WrkstError("ERR_TOO_LARGE", `expected a body of at most ${MAX_IGNORED_BODY} bytes`);
  }
  next();
}

/** The handler reads and writes by itself: no body parser, no buffering. */
function addGitRoute(app: express.Express, git: NonNullable<ApiOptions["git"]>, whoOf: (req: Request) => string): void {
  app.all("/git/*path", (req, res) => {
    const pathInfo = req.path.slice("/git".length);
    if (!/^\/[a-z0-9-]+\.git\/[a-zA-Z0-9/_.-]+$/.test(pathInfo) || pathInfo.includes("..")) {
      throw new WrkstError("ERR_NOT_FOUND", "there is no such repository", {
        hint: "the address is /git/functions.git",
      });
    }
    git(req, res, pathInfo, whoOf(req));
  });
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
    const changes = method === "POST" && !path.startsWith("/git/") && status < 400;
    const level = status >= 500 && status !== 503 ? "warn" : changes ? "info" : "debug";
    log[level]({ method, path, status, ms: now() - since, ...client }, "request");
  });
}

function routesOf(app: express.Express): Api["routes"] {
  return app.router.stack.flatMap(({ route }) =>
    (route?.stack ?? []).map(({ method }) => ({ method: method?.toUpperCase() || "GET", path: route?.path ?? "" })),
  );
}
