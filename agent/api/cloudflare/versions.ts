// Versions of a function: upload, list, view.

import type { FunctionRef } from "../../model.js";
import type { Deploys, VersionDetail } from "../../reconcile/deploys.js";
import { type AddRoute, type CloudflareDeps, DEPLOY, PREFIX, READ, S } from "./index.js";
import { refOf } from "./scripts.js";
import { showVersion } from "./shapes.js";
import { clientName, knowsHosts, readUpload } from "./upload.js";

export function addVersionRoutes(add: AddRoute, { deploys, uploads }: CloudflareDeps): void {
  const path = `${S}/versions`;
  add(
    { method: "POST", path, rule: DEPLOY, summary: "Uploads a version, deploys nothing", streams: true },
    async (call) => {
      const agent = call.req.headers["user-agent"];
      const upload = await readUpload(call.req, { space: uploads, client: clientName(agent) });
      const ref = refOf(call);
      const previews = call.req.query.previews !== "false";
      const version = await deploys.upload(ref, upload, { create: true, previews }, call.actor);
      const shown = showUploaded(deploys, ref, version);
      const has_preview = shown.metadata.has_preview && knowsHosts(agent);
      return { ...shown, metadata: { ...shown.metadata, has_preview } };
    },
  );
  add({ method: "GET", path, rule: READ, summary: "Versions of a function, newest first" }, (call) => {
    const items = showVersions(deploys, refOf(call));
    return call.req.path.startsWith(PREFIX) ? { items } : items;
  });
  add({ method: "GET", path: `${path}/:version`, rule: READ, summary: "A version" }, (call) => {
    const ref = refOf(call);
    const { id } = deploys.version(ref, call.params.version ?? "");
    return showVersions(deploys, ref).find((version) => version.id === id) ?? null;
  });
}

export function showVersions(deploys: Deploys, ref: FunctionRef) {
  const versions = deploys.versions(ref);
  const secrets = deploys.secrets(ref);
  return versions.map((version, index) =>
    showVersion(version, {
      number: version.upload?.number ?? versions.length - index,
      secrets: version.upload?.secrets ?? secrets,
    }),
  );
}

/** The version as it is, with what only the answer to its upload knows. */
export function showUploaded(deploys: Deploys, ref: FunctionRef, version: VersionDetail) {
  const number = version.upload?.number ?? deploys.versions(ref).length;
  const shown = showVersion(version, { number, secrets: version.upload?.secrets ?? deploys.secrets(ref) });
  const warnings = version.warnings?.map(({ message }) => message);
  const { created } = version;
  return { ...shown, ...(created ? { created_databases: created } : {}), ...(warnings ? { warnings } : {}) };
}
