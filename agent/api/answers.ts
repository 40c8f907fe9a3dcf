// What the main routes of `/api/v1` answer, for the OpenAPI document. Pure; a test compares them with real answers.

import { z } from "zod";
import { FUNCTION_STATES } from "../model.js";

const text = z.string();
const time = z.iso.datetime().describe("ISO 8601");
const at = z.number().describe("Milliseconds since 1970");
const nullable = text.nullable();
const cursor = nullable.describe("For the next page; null at the end");

const error = z.looseObject({ code: text, message: text, hint: text.optional() });
const hold = z.looseObject({
  alias: text,
  kind: z.enum(["pin", "rollback", "suspension"]),
  version: text,
  reason: text.optional(),
  author: text,
  createdAt: at,
  expiresAt: at.optional(),
});
const suspension = z.looseObject({
  reason: text.optional(),
  author: text,
  createdAt: at,
  expiresAt: at.optional(),
  offline: z.literal(true).optional(),
});
const deployment = z.looseObject({
  id: text,
  function: text,
  at,
  cause: text,
  author: text,
  revision: nullable,
  from: nullable,
  to: nullable,
});
const trial = z.looseObject({
  version: text,
  before: text.describe("What it is compared with, and goes back to"),
  percentage: z.number().describe("Of the traffic that the version has now"),
  steps: z.array(z.number()).describe("Shares still to come"),
  requests: z.number(),
  failures: z.number(),
  baseline: z.looseObject({ requests: z.number(), failures: z.number() }).nullable(),
  requestsLeft: z.number().describe("Until the next step or the end"),
  nextAt: at.describe("When that comes at the latest, milliseconds since 1970"),
});
const functionStatus = z.looseObject({
  name: text,
  account: text,
  source: nullable,
  folder: nullable,
  version: nullable.describe("What `latest` serves"),
  revision: nullable,
  state: z.enum(FUNCTION_STATES),
  url: text,
  updatedAt: time.nullable(),
  hold: hold.optional(),
  suspension: suspension.optional(),
  trial: trial.optional(),
  drift: z.looseObject({ reason: text, because: text }).optional(),
  declared: text.optional().describe("What git gave last, where another version serves"),
  error: error.optional(),
});
const source = z.looseObject({
  name: text,
  repo: text,
  branch: text,
  revision: nullable,
  state: z.enum(["ready", "pending", "failed", "empty", "suspended"]),
  lastFetch: time.nullable(),
  staleSince: time.optional().describe("`lastFetch` where that is too long ago"),
  error: error.optional(),
});
const event = z.looseObject({
  id: z.number(),
  at,
  kind: text.describe("noun.verb"),
  source: text.optional(),
  function: text.optional(),
  account: text.optional(),
  message: text,
});
const token = z.looseObject({
  id: text,
  name: text,
  account: text,
  scopes: z.array(text),
  created: time,
  expires: time.nullable(),
  lastUsed: time.nullable(),
});
const report = z.looseObject({
  source: text,
  from: nullable,
  to: nullable,
  result: z.enum(["switched", "unchanged", "failed", "superseded"]),
  functions: z.array(z.looseObject({ name: text, result: text })),
  milliseconds: z.number(),
});
const job = z.looseObject({ source: text, state: text });

/** By `METHOD path`, as the routes are added. */
export const ANSWERS: Readonly<Record<string, z.ZodType>> = {
  "GET /api/v1/status": z.looseObject({
    sources: z.array(source),
    functions: z.array(functionStatus),
    drift: z.record(text, z.number()).describe("Functions that differ from git, by reason"),
    runtime: z.looseObject({ state: text, restarts: z.number(), isolates: z.number() }),
  }),
  "GET /api/v1/functions": z.looseObject({ functions: z.array(functionStatus), cursor }),
  "GET /api/v1/functions/:name": functionStatus.extend({
    deployments: z.array(deployment),
    versions: z.array(z.looseObject({ id: text })),
  }),
  "GET /api/v1/functions/:name/why": z.looseObject({
    name: text,
    state: z.enum(FUNCTION_STATES),
    decision: text,
    rule: text,
    next: text,
    holds: z.array(hold),
    lastEvent: event.nullable(),
    lastDeployment: deployment.nullable(),
  }),
  "GET /api/v1/functions/:name/pins": z.looseObject({ pins: z.array(hold), cursor }),
  "PUT /api/v1/functions/:name/pins/:alias": hold,
  "POST /api/v1/functions/:name/rollback": deployment,
  "POST /api/v1/functions/:name/promote": deployment,
  "POST /api/v1/functions/:name/restore": functionStatus,
  "POST /api/v1/functions/:name/suspend": suspension,
  "POST /api/v1/functions/:name/resume": functionStatus,
  "GET /api/v1/sources": z.looseObject({ sources: z.array(source), cursor }),
  "GET /api/v1/sources/:source": source,
  "POST /api/v1/sources/:source/sync": z.union([report, job]),
  "GET /api/v1/jobs/:id": job,
  "GET /api/v1/events": z.looseObject({ events: z.array(event), cursor }),
  "GET /api/v1/whoami": z.looseObject({
    subject: text,
    name: text,
    role: text,
    account: text,
    accounts: z.array(text),
    scopes: z.array(text),
  }),
  "GET /api/v1/tokens": z.looseObject({ tokens: z.array(token), cursor }),
  "GET /api/v1/tokens/:id": token,
  "POST /api/v1/tokens": token.extend({ token: text.describe("Told once") }),
};
