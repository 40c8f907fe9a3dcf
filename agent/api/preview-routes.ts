// Previews of branches and commits: the list of them, and what people ask for. Invariant: only who may deploy to a function's
// account has anything of it built.

import { z } from "zod";
import { permits } from "../auth/index.js";
import type { PreviewEntry } from "../model.js";
import type { CommitPreviews } from "../reconcile/previews.js";
import { jobReply } from "./platform-routes.js";
import { QUERY } from "./requests.js";
import { type Call, Reply, type Routes } from "./routes.js";

const F = "/api/v1/functions/:name/previews";
const DEPLOY = { action: "deploy", of: "function" } as const;

const commitSchema = z.strictObject({
  commit: z.string().min(1).max(200).describe("A commit by 7 digits or more, a tag or a branch"),
});

export interface PreviewRoutesDeps {
  previews: CommitPreviews;
}

export function addPreviewRoutes(routes: Routes, { previews }: PreviewRoutesDeps): void {
  const refOf = ({ account, params }: Pick<Call, "account" | "params">) => ({ account, name: params.name ?? "" });
  routes.add(
    {
      ...{ method: "GET", path: "/api/v1/previews", rule: { action: "self", of: "caller" } },
      summary: "Functions as branches and commits have them",
    },
    ({ identity }) => answer(previews.list().filter(({ account }) => permits(identity, "read", account))),
  );
  routes.add(
    { method: "GET", path: F, rule: { action: "read", of: "function" }, summary: "Previews of one function" },
    ({ params, account }) => answer(previews.list(params.name).filter((one) => one.account === account)),
  );
  routes.add(
    {
      ...{ method: "POST", path: F, rule: DEPLOY, body: commitSchema, query: QUERY.wait },
      summary: "What the function is at a commit: found, or made",
    },
    async (call) => {
      const { body, query, signal, actor } = call;
      const found = await previews.request(refOf(call), { ref: body.commit, wait: query.wait, signal }, actor);
      return "preview" in found ? jobReply(found) : found;
    },
  );
  routes.add(
    {
      ...{ method: "DELETE", path: `${F}/:commit`, rule: DEPLOY },
      summary: "Removes the preview of a commit that was asked for",
    },
    async (call) => {
      await previews.remove(refOf(call), call.params.commit ?? "", call.actor);
      return new Reply(undefined, { status: 204 });
    },
  );
}

const answer = (previews: PreviewEntry[]) => ({ previews, cursor: null });
