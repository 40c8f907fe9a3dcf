// The one way to add a route: with its rule, its schemas and its place in the OpenAPI document. Invariant: what is not added
// here does not answer.

import type { Express, Request, Response } from "express";
import type { z } from "zod";
import { actorOf, type Identity, MAIN } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import type { Actor } from "../model.js";
import { type Budget, declaredSize, readBody } from "./body.js";
import type { Client } from "./client.js";
import { admit, type Owners, type Rule } from "./gate.js";
import type { Idempotency } from "./idempotency.js";
import { checkParam, parseJson, parseQuery, QUERY } from "./requests.js";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface RouteSpec<Q, B> {
  /** `ALL`: the handler looks at the method itself. */
  method: Method | "ALL";
  /** As express reads it; names of parameters have their grammar in `checkParam`. */
  path: string;
  rule: Rule | ((req: Request) => Rule);
  /** One sentence for the OpenAPI document. */
  summary: string;
  /** Absent: a query is refused by routes of ours, and ignored in the Cloudflare-shaped family. */
  query?: z.ZodType<Q>;
  /** JSON. Absent: no body is read. */
  body?: z.ZodType<B>;
  /** What a success answers, for the document. */
  answer?: z.ZodType;
  /** The handler reads the body itself, within limits of its own. */
  streams?: boolean;
  /** The answer holds a secret: a second request with the same `Idempotency-Key` is told so, and does not get it. */
  secret?: boolean;
  /** The answer holds rows of a database, and is not kept either. */
  rows?: boolean;
}

export interface Call<Q = unknown, B = unknown> {
  req: Request;
  res: Response;
  params: Record<string, string>;
  query: Q;
  body: B;
  /** Who asks. A `TypeError` in an open route that was called without a credential. */
  identity: Identity;
  /** That the rule was decided for. */
  account: string;
  actor: Actor;
  client: Client;
  /** Aborted when the client is gone before the answer. */
  signal: AbortSignal;
}

/** What a handler answers with; a bare value is 200. A handler that has answered itself returns undefined. */
export class Reply {
  readonly value: unknown;
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(value: unknown, { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> }) {
    this.value = value;
    this.status = status;
    this.headers = headers;
  }
}

export type Handler<Q, B> = (call: Call<Q, B>) => unknown | Promise<unknown>;

/** How a family of routes writes its answers. */
export type Send = (res: Response, reply: Reply) => void;

export interface RouteRecord extends Pick<RouteSpec<unknown, unknown>, "method" | "path" | "rule" | "summary"> {
  query?: z.ZodType | undefined;
  body?: z.ZodType | undefined;
  answer?: z.ZodType | undefined;
  streams?: boolean;
  isPlain: boolean;
}

export interface RoutesDeps {
  app: Express;
  owners: Owners;
  identityOf(req: Request): Identity | undefined;
  clientOf(req: Request): Client;
  idempotency: Idempotency;
}

export interface Routes {
  /** Adds a route that answers plain JSON. */
  add<Q = Record<string, never>, B = undefined>(spec: RouteSpec<Q, B>, handler: Handler<Q, B>): void;
  /** Adds a route whose answers another family writes. */
  addAs<Q, B>(send: Send, spec: RouteSpec<Q, B>, handler: Handler<Q, B>): void;
  readonly records: RouteRecord[];
  /** Whether a route there needs no credential. */
  isOpen(path: string): boolean;
}

/** Largest body of the routes that read none. */
const MAX_IGNORED_BODY = 64 * 2 ** 10;
const MAX_JSON = 2 ** 20;
const JSON_TIME = 30_000;
const JSON_MEMORY = 64 * 2 ** 20;

export function createRoutes(deps: RoutesDeps): Routes {
  const records: RouteRecord[] = [];
  const open: RegExp[] = [];
  const budget: Budget = { left: JSON_MEMORY };

  function addAs<Q, B>(send: Send, spec: RouteSpec<Q, B>, handler: Handler<Q, B>): void {
    const isPlain = send === sendPlain;
    records.push({ ...spec, isPlain });
    if (spec.rule === "open") open.push(patternOf(spec.path));
    const method = spec.method.toLowerCase() as "get" | "all";
    deps.app[method](spec.path, async (req, res) => {
      const call = await prepareCall(deps, { spec, req, res, isPlain });
      const answer = async () => {
        if (!spec.body) return handler(call as Call<Q, B>);
        const bytes = await readBody(req, { size: MAX_JSON, time: JSON_TIME, budget }, () => undefined);
        return deps.idempotency.run({ call, spec, bytes, isPlain }, () =>
          handler(Object.assign(call, { body: parseJson(spec.body as z.ZodType<B>, bytes) }) as Call<Q, B>),
        );
      };
      const bare = !spec.body && !spec.streams && isPlain;
      const value = bare
        ? await deps.idempotency.run({ call, spec, bytes: Buffer.alloc(0), isPlain }, answer)
        : await answer();
      if (res.headersSent || res.writableEnded) return;
      send(res, value instanceof Reply ? value : new Reply(value, {}));
    });
  }

  return {
    add: (spec, handler) => addAs(sendPlain, spec, handler),
    addAs,
    records,
    isOpen: (path) => open.some((pattern) => pattern.test(path)),
  };
}

/** `/webhooks/:source/:provider` as it matches. */
function patternOf(path: string): RegExp {
  const steps = path
    .split("/")
    .map((step) => (step.startsWith(":") ? "[^/]+" : step.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${steps.join("/")}$`);
}

interface Arriving<Q, B> {
  spec: RouteSpec<Q, B>;
  req: Request;
  res: Response;
  isPlain: boolean;
}

/** In this order: size, grammar of names, permission, query. */
async function prepareCall<Q, B>(deps: RoutesDeps, { spec, req, res, isPlain }: Arriving<Q, B>) {
  refuseLargeBody(req, spec);
  const params = req.params as Record<string, string>;
  for (const [name, value] of Object.entries(params)) checkParam(name, value);
  const rule = typeof spec.rule === "function" ? spec.rule(req) : spec.rule;
  const identity = deps.identityOf(req);
  const client = deps.clientOf(req);
  const target = { params, asked: askedAccount(rule, req), owners: deps.owners };
  const account = rule === "open" ? MAIN : admit(expectIdentity(identity), rule, target);
  const strict = isPlain && rule !== "open" && spec.method !== "ALL";
  const schema: z.ZodType | undefined = spec.query ?? (strict ? QUERY.none : undefined);
  const query = schema ? parseQuery(schema, req.query) : req.query;
  return {
    ...{ req, res, params, query, account, client },
    body: undefined,
    signal: goneSignal(res),
    get identity() {
      return expectIdentity(identity);
    },
    get actor() {
      return actorOf(expectIdentity(identity), client.address);
    },
  };
}

/** The account that the query names, where the rule looks at it. */
function askedAccount(rule: Rule, { query: { account } }: Request): string | undefined {
  if (rule === "open" || rule.of !== "asked" || account === undefined) return undefined;
  checkParam("account", account as string | string[]);
  return String(account);
}

function refuseLargeBody<Q, B>(req: Request, { body, streams }: RouteSpec<Q, B>): void {
  const limit = body ? MAX_JSON : MAX_IGNORED_BODY;
  if (streams || (declaredSize(req) ?? 0) <= limit) return;
  throw new WrkstError("ERR_TOO_LARGE", `expected a body of at most ${limit} bytes`);
}

function expectIdentity(identity: Identity | undefined): Identity {
  if (identity) return identity;
  throw new WrkstError("ERR_UNAUTHORIZED", "expected a token");
}

export const sendPlain: Send = (res, { value, status, headers }) => {
  res.status(value === undefined && status === 200 ? 204 : status).set(headers);
  if (value === undefined) res.end();
  else res.json(value);
};

/** Aborted when the client is gone before the answer. */
function goneSignal(res: Response): AbortSignal {
  const controller = new AbortController();
  res.once("close", () => controller.abort());
  return controller.signal;
}
