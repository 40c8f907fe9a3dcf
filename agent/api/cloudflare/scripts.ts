// Functions of an account: list, one PUT that uploads and deploys, settings, content, delete.

import { WrkstError } from "../../errors.js";
import type { FunctionRef, FunctionStatus } from "../../model.js";
import type { Call } from "../routes.js";
import { formOf } from "./content.js";
import { pageOf, sendBytes } from "./envelope.js";
import { type AddRoute, type CloudflareDeps, DEPLOY, READ, S } from "./index.js";
import { showScript, showService } from "./shapes.js";
import { clientName, readUpload } from "./upload.js";
import { showUploaded } from "./versions.js";

export function refOf({ account, params }: Pick<Call, "account" | "params">): FunctionRef {
  return { account, name: params.name ?? "" };
}

export function addScriptRoutes(add: AddRoute, deps: CloudflareDeps): void {
  addListRoutes(add, deps);
  addWriteRoutes(add, deps);
  addContentRoutes(add, deps);
}

function addListRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const { platform } = deps;
  add(
    { method: "GET", path: "/accounts/:account/workers/scripts", rule: READ, summary: "Functions of the account" },
    async ({ account, req }) => {
      const all = (await platform.functions({})).filter((status) => status.account === account && isThere(status));
      const scripts = all.map((status) => scriptOf(deps, { account, name: status.name }, status));
      return req.query.page === undefined && req.query.per_page === undefined ? scripts : pageOf(scripts, req.query);
    },
  );
  add(
    { method: "GET", path: "/accounts/:account/workers/services/:name", rule: READ, summary: "A function" },
    async (call) => showService(await findScript(deps, refOf(call))),
  );
}

/** Removed functions, and declarations that came second, are nobody's function. */
function isThere({ state }: FunctionStatus): boolean {
  return state !== "removed" && state !== "name-taken";
}

function scriptOf({ deploys }: CloudflareDeps, ref: FunctionRef, status: FunctionStatus) {
  const updatedAt = Date.parse(status.updatedAt ?? "") || 0;
  return showScript({ ref, updatedAt, settings: deploys.settings(ref), versions: deploys.versions(ref) });
}

/** @throws WrkstError ERR_NOT_FOUND */
export async function findScript(deps: CloudflareDeps, ref: FunctionRef) {
  const all = await deps.platform.functions({});
  const status = all.find((entry) => entry.name === ref.name && entry.account === ref.account && isThere(entry));
  if (status) return scriptOf(deps, ref, status);
  throw new WrkstError("ERR_NOT_FOUND", `there is no function "${ref.name}" on account "${ref.account}"`);
}

function addWriteRoutes(add: AddRoute, { deploys, uploads }: CloudflareDeps): void {
  add(
    { method: "PUT", path: S, rule: DEPLOY, summary: "Uploads a version and deploys it at 100 %", streams: true },
    async (call) => {
      const ref = refOf(call);
      const upload = await readUpload(call.req, {
        space: uploads,
        client: clientName(call.req.headers["user-agent"]),
      });
      const version = await deploys.upload(ref, upload, { create: true, previews: false }, call.actor);
      const force = call.req.query.force === "true";
      const request = { versions: [{ version: version.id, percentage: 100 }], force, ...messageOf(upload) };
      const deployment = await deploys.deploy(ref, request, call.actor);
      const { startup_time_ms, resources } = showUploaded(deploys, ref, version);
      const { handlers, etag } = resources.script;
      const at = new Date(deployment.at).toISOString();
      return {
        ...{ id: ref.name, deployment_id: version.id, etag, handlers, startup_time_ms },
        ...{ entry_point: upload.bundle.main, created_on: at, modified_on: at, tags: deploys.settings(ref).tags },
      };
    },
  );
  const remove = async (call: Call) => {
    await deploys.remove(refOf(call), { force: call.req.query.force === "true" }, call.actor);
    return null;
  };
  for (const path of [S, "/accounts/:account/workers/services/:name"]) {
    add({ method: "DELETE", path, rule: DEPLOY, summary: "Removes a function; it can be restored" }, remove);
  }
}

function messageOf({ message }: { message?: string }) {
  return message === undefined ? {} : { message };
}

function addContentRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const { deploys } = deps;
  add({ method: "GET", path: `${S}/content/v2`, rule: READ, summary: "Modules of a version" }, async (call) => {
    const ref = refOf(call);
    const { version } = call.req.query;
    const id = typeof version === "string" ? version : deploys.versions(ref)[0]?.id;
    if (id === undefined) throw new WrkstError("ERR_VERSION_NOT_FOUND", `"${ref.name}" has no version`);
    const bundle = await deploys.bundle(ref, id);
    const { type, body } = formOf(bundle);
    return sendBytes(call.res, body, { "content-type": type, "cf-entrypoint": headerOf(bundle.main) });
  });
  add({ method: "GET", path: `${S}/references`, rule: READ, summary: "What refers to the function" }, async (call) => {
    await findScript(deps, refOf(call));
    return {};
  });
  add(
    {
      ...{ method: "GET", rule: READ, summary: "Functions that hear this one's tails" },
      path: "/accounts/:account/workers/tails/by-consumer/:name",
    },
    () => [],
  );
}

/** A header is Latin-1 at most: other names are told as in a URL. */
function headerOf(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) ? name : encodeURI(Buffer.from(name).toString());
}
