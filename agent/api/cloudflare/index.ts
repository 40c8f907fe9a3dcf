// The Cloudflare-shaped family: every route under `/client/v4` and, for earlier clients, without that prefix.

import type { z } from "zod";
import type { Databases } from "../../reconcile/databases.js";
import type { Deploys } from "../../reconcile/deploys.js";
import { createJobs } from "../jobs.js";
import type { Platform } from "../platform.js";
import type { Handler, RouteSpec, Routes } from "../routes.js";
import type { Transfers } from "../transfers.js";
import { addAccountRoutes } from "./accounts.js";
import { addAnalyticsRoute } from "./analytics.js";
import { addD1Routes } from "./d1.js";
import { addD1FileRoutes } from "./d1-files.js";
import { addDeploymentRoutes } from "./deployments.js";
import { sendEnvelope } from "./envelope.js";
import { addScriptRoutes } from "./scripts.js";
import { addSecretRoutes } from "./secrets.js";
import { addTimeTravelRoutes } from "./time-travel.js";
import { addTriggerRoutes } from "./triggers.js";
import { addUnsupportedRoutes } from "./unsupported.js";
import type { UploadSpace } from "./upload.js";
import { addVersionRoutes } from "./versions.js";

export const PREFIX = "/client/v4";
const WITHOUT_PREFIX = /^\/(?:accounts|memberships|user|zones|graphql)(?:\/|$)/;

/** Whether answers, errors too, are in the envelope. */
export function isCloudflareShaped(path: string): boolean {
  return path === PREFIX || path.startsWith(`${PREFIX}/`) || WITHOUT_PREFIX.test(path);
}

export interface CloudflareDeps {
  platform: Platform;
  deploys: Deploys;
  databases: Databases;
  transfers: Transfers;
  uploads: UploadSpace;
  /** Origin without trailing slash. */
  publicUrl: () => string;
  baseDomain: string;
}

/** Adds a route twice: with the prefix and without. */
export type AddRoute = <Q = unknown, B = undefined>(
  spec: Omit<RouteSpec<Q, B>, "query"> & { query?: z.ZodType<Q> },
  handler: Handler<Q, B>,
) => void;

/** `:account` and `:name` of a path are what `S` stands for in most of them. */
export const S = "/accounts/:account/workers/scripts/:name";
export const READ = { action: "read", of: "account" } as const;
export const DEPLOY = { action: "deploy", of: "account" } as const;

export function addCloudflareRoutes(routes: Routes, deps: CloudflareDeps): void {
  const add: AddRoute = (spec, handler) => {
    for (const prefix of [PREFIX, ""]) routes.addAs(sendEnvelope, { ...spec, path: `${prefix}${spec.path}` }, handler);
  };
  addAccountRoutes(add);
  addScriptRoutes(add, deps);
  addVersionRoutes(add, deps);
  addDeploymentRoutes(add, deps);
  addSecretRoutes(add, deps);
  addTriggerRoutes(add, deps);
  const { databases, transfers } = deps;
  addD1Routes(add, databases);
  addD1FileRoutes(add, { databases, transfers, jobs: createJobs() });
  addTimeTravelRoutes(add, databases);
  addAnalyticsRoute(add, databases);
  addUnsupportedRoutes(add);
}
