// `/api/v1/sources/:source/commit-status`: whether a forge shows what becomes of commits. Invariant: the token is never answered.

import { z } from "zod";
import { type CommitStatusRequest, FORGES } from "../model.js";
import type { Sources } from "../reconcile/sources.js";
import type { Telling } from "../reconcile/telling.js";
import { present } from "./requests.js";
import { Reply, type Routes } from "./routes.js";
import { expectSource } from "./source-routes.js";

const RULE = { action: "admin", of: "main" } as const;
const PATH = "/api/v1/sources/:source/commit-status";

const secret = /^[\x21-\x7e]{1,1000}$/;
const body = z.strictObject({
  provider: z.enum(FORGES).optional(),
  api: z.string().max(500).optional().describe("Address of the forge's interface, on own hosts"),
  repository: z.string().max(1_000).optional().describe('"owner/name"'),
  context: z.string().max(100).optional().describe("What the forge calls the status; default wrkst/<source>"),
  username: z
    .string()
    .regex(/^[^:\u0000-\u0020\u007f]{1,200}$/, "expected a user name")
    .optional()
    .describe("Of Bitbucket, where the token is a password for it"),
  token: z
    .string()
    .regex(secret, "expected a token")
    .optional()
    .describe("Sealed, and never answered; absent: it stays"),
});

export interface CommitStatusRoutesDeps {
  sources: Pick<Sources, "find">;
  telling: Pick<Telling, "setCommitStatus" | "removeCommitStatus">;
}

export function addCommitStatusRoutes(routes: Routes, { sources, telling }: CommitStatusRoutesDeps): void {
  routes.add(
    { method: "PUT", path: PATH, rule: RULE, body, summary: "Shows the state of a source's commits at its forge" },
    (call) => {
      const request = present(call.body) as CommitStatusRequest;
      return telling.setCommitStatus(expectSource(sources, call.params.source), request, call.actor);
    },
  );
  routes.add({ method: "DELETE", path: PATH, rule: RULE, summary: "Shows it no more" }, ({ params, actor }) => {
    telling.removeCommitStatus(expectSource(sources, params.source).name, actor);
    return new Reply(undefined, { status: 204 });
  });
}
