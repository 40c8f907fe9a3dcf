// Deployments and aliases of a function.

import { z } from "zod";
import type { AliasDetail } from "../../reconcile/deploys.js";
import { type AddRoute, type CloudflareDeps, DEPLOY, READ, S } from "./index.js";
import { refOf } from "./scripts.js";
import { showDeployment, showDeployments } from "./shapes.js";

const version = z.string().min(1).max(100);
const deploymentSchema = z.looseObject({
  strategy: z.literal("percentage").default("percentage"),
  versions: z
    .array(z.looseObject({ version_id: version, percentage: z.number().min(0).max(100) }))
    .min(1)
    .max(2),
  annotations: z.looseObject({ "workers/message": z.string().max(1000).optional() }).nullish(),
});
const aliasSchema = z.looseObject({ version_id: version });

export function addDeploymentRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const { deploys } = deps;
  const path = `${S}/deployments`;
  add({ method: "GET", path, rule: READ, summary: "Deployments, newest first" }, (call) => {
    const ref = refOf(call);
    return { deployments: showDeployments(deploys.deployments(ref), deploys.versions(ref)) };
  });
  add(
    { method: "POST", path, rule: DEPLOY, summary: "Moves the traffic to one or two versions", body: deploymentSchema },
    async (call) => {
      const { versions, annotations } = call.body;
      const message = annotations?.["workers/message"];
      const request = {
        versions: versions.map(({ version_id, percentage }) => ({ version: version_id, percentage })),
        force: call.req.query.force === "true",
        ...(message ? { message } : {}),
      };
      return showDeployment(await deploys.deploy(refOf(call), request, call.actor));
    },
  );
  addAliasRoutes(add, deps);
}

function addAliasRoutes(add: AddRoute, { deploys }: CloudflareDeps): void {
  const path = `${S}/aliases`;
  add({ method: "GET", path, rule: READ, summary: "Aliases" }, (call) => deploys.aliases(refOf(call)).map(showAlias));
  add(
    { method: "PUT", path: `${path}/:alias`, rule: DEPLOY, summary: "Creates or moves an alias", body: aliasSchema },
    async (call) => {
      const { body, actor, params } = call;
      return showAlias(await deploys.setAlias(refOf(call), params.alias ?? "", body.version_id, actor));
    },
  );
  add(
    { method: "DELETE", path: `${path}/:alias`, rule: DEPLOY, summary: "Removes or releases an alias" },
    async (call) => {
      await deploys.deleteAlias(refOf(call), call.params.alias ?? "", call.actor);
      return null;
    },
  );
}

function showAlias({ name, version, createdAt, hold, url }: AliasDetail): object {
  return { name, version_id: version, created_on: new Date(createdAt).toISOString(), url, ...(hold ? { hold } : {}) };
}
