// What clients ask of Cloudflare that is not here: 501 with a sentence, and empty lists where a client only looks whether
// there is something.

import type { Request } from "express";
import { WrkstError } from "../../errors.js";
import type { Rule } from "../gate.js";
import { type AddRoute, DEPLOY, READ } from "./index.js";

const A = "/accounts/:account";

/** Path below the account → what it would be. */
const UNSUPPORTED: readonly { path: string; what: string; hint?: string }[] = [
  { path: "/d1", what: "these routes of D1" },
  { path: "/storage/kv", what: "KV namespaces" },
  { path: "/r2", what: "R2 buckets" },
  { path: "/queues", what: "queues" },
  { path: "/workflows", what: "workflows" },
  { path: "/hyperdrive", what: "Hyperdrive configurations", hint: "connect to the database directly" },
  { path: "/vectorize", what: "Vectorize indexes" },
  { path: "/ai", what: "AI models" },
  { path: "/pages", what: "Pages projects" },
  { path: "/pipelines", what: "pipelines" },
  { path: "/containers", what: "containers" },
  { path: "/secrets_store", what: "secrets stores", hint: "use secrets of the function: wrangler secret put" },
  { path: "/mtls_certificates", what: "mTLS certificates" },
  { path: "/workers/assets", what: "static assets" },
  { path: "/workers/dispatch", what: "dispatch namespaces" },
  { path: "/workers/durable_objects", what: "Durable Object namespaces" },
  { path: "/workers/scripts/:name/assets-upload-session", what: "static assets", hint: "import the files as modules" },
  { path: "/workers/scripts/:name/edge-preview", what: "remote previews", hint: "wrangler versions upload makes one" },
  { path: "/workers/subdomain/edge-preview", what: "remote previews", hint: "wrangler versions upload makes one" },
];

const ruleOf = ({ method }: Request): Rule => (method === "GET" ? READ : DEPLOY);

export function addUnsupportedRoutes(add: AddRoute): void {
  for (const path of ["/storage/kv/namespaces", "/workers/durable_objects/namespaces"]) {
    add({ method: "GET", path: `${A}${path}`, rule: READ, summary: "An empty list" }, () => []);
  }
  add({ method: "GET", path: `${A}/r2/buckets`, rule: READ, summary: "An empty list" }, () => ({ buckets: [] }));
  add({ method: "GET", path: `${A}/queues`, rule: READ, summary: "An empty list" }, ({ req }) => {
    // Who looks for one queue is about to use it, and would be told to create it.
    if (req.query.name === undefined) return [];
    throw new WrkstError("ERR_UNSUPPORTED", "queues are not supported here");
  });
  for (const { path, what, hint } of UNSUPPORTED) {
    for (const below of ["", "/*rest"]) {
      const refuse = () => {
        throw new WrkstError("ERR_UNSUPPORTED", `${what} are not supported here`, { hint });
      };
      const summary = `Not supported: ${what}`;
      add({ method: "ALL", path: `${A}${path}${below}`, rule: ruleOf, summary, streams: true }, refuse);
    }
  }
}
