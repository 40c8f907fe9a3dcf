// Bindings as the Cloudflare-shaped API writes them, both ways. Pure.

import { z } from "zod";
import { RESERVED_PREFIX } from "../../../runtime/wire.js";
import { WrkstError } from "../../errors.js";
import { UNSUPPORTED } from "../../manifest/bindings/kinds.js";
import type { BindingKind, UploadBinding } from "../../model.js";
import type { VersionDetail } from "../../reconcile/deploys.js";
import { isBindingName } from "../requests.js";

/** `{ name, text }` without a type is a var, as earlier clients send it. */
export const bindingSchema = z.looseObject({
  name: z.string().max(128),
  type: z.string().max(64).optional(),
  text: z.string().optional(),
  json: z.json().optional(),
  /** Of a database; without either, the function's own of that binding. */
  id: z.string().max(128).optional(),
  database_name: z.string().max(64).optional(),
});
export type RawBinding = z.infer<typeof bindingSchema>;

/** Key of the wrangler file that a binding of this type comes from. */
const KEY_OF_TYPE: Record<string, string> = {
  ...{ kv_namespace: "kv_namespaces", r2_bucket: "r2_buckets", queue: "queues", service: "services" },
  ...{ durable_object_namespace: "durable_objects", workflow: "workflows", assets: "assets", hyperdrive: "hyperdrive" },
  ...{ ai: "ai", vectorize: "vectorize", browser: "browser", images: "images", send_email: "send_email" },
  ...{ analytics_engine: "analytics_engine_datasets", mtls_certificate: "mtls_certificates" },
  ...{
    dispatch_namespace: "dispatch_namespaces",
    pipelines: "pipelines",
    secrets_store_secret: "secrets_store_secrets",
  },
  ...{ version_metadata: "version_metadata", ratelimit: "ratelimits", worker_loader: "worker_loaders" },
  ...{ logfwdr: "logfwdr", wasm_module: "wasm_modules", text_blob: "text_blobs", data_blob: "data_blobs" },
};

/** @throws WrkstError ERR_BINDING_UNSUPPORTED that names every binding it is about, ERR_INVALID */
export function readBindings(raw: RawBinding[]): UploadBinding[] {
  refuseUnsupported(raw);
  const names = new Set<string>();
  return raw.map((binding) => {
    checkName(binding);
    if (names.has(binding.name)) throw new WrkstError("ERR_INVALID", `binding "${binding.name}" is there twice`);
    names.add(binding.name);
    return readOne(binding);
  });
}

const SUPPORTED = new Set(["plain_text", "json", "secret_text", "d1", "inherit"]);

function refuseUnsupported(raw: RawBinding[]): void {
  const refused = raw.filter(({ type }) => type !== undefined && !SUPPORTED.has(type));
  if (!refused.length) return;
  const described = refused.map(describe);
  const hints = [...new Set(described.flatMap(({ hint }) => (hint === undefined ? [] : [hint])))];
  const list = described.map(({ text }) => text).join(", ");
  throw new WrkstError("ERR_BINDING_UNSUPPORTED", `not supported here: ${list}`, {
    hint: hints.join("; ") || "remove the binding",
  });
}

function describe({ name, type = "" }: RawBinding): { text: string; hint?: string | undefined } {
  const kind = UNSUPPORTED.find(({ key }) => key === KEY_OF_TYPE[type]);
  return { text: `${kind?.label ?? `binding of type "${type}"`} "${name}"`, hint: kind?.hint };
}

function checkName({ name, type }: RawBinding): void {
  if (!isBindingName(name)) throw new WrkstError("ERR_INVALID", `expected a name like "API_URL", received "${name}"`);
  if (name.startsWith(RESERVED_PREFIX)) {
    throw new WrkstError("ERR_INVALID", `binding name "${name}" is reserved`, {
      hint: `choose a name that does not begin with ${RESERVED_PREFIX}`,
    });
  }
  if (name === "D1" && type !== "d1" && type !== "inherit") {
    throw new WrkstError("ERR_INVALID", `binding "D1" would hide the function's database, which "env.D1" always is`, {
      hint: "choose another name",
    });
  }
}

function readOne({
  name,
  type = "plain_text",
  text,
  json,
  id,
  database_name: databaseName,
}: RawBinding): UploadBinding {
  if (type === "d1") {
    const named = databaseName === undefined ? {} : { databaseName };
    return { kind: "d1", name, ...(id === undefined ? {} : { id }), ...named };
  }
  if (type === "json") {
    if (json === undefined) throw new WrkstError("ERR_INVALID", `binding "${name}": expected "json"`);
    return { kind: "json", name, json };
  }
  // Only type and name: as it is in the version before.
  if (type === "inherit" || text === undefined) return { kind: "inherit", name };
  return { kind: type === "secret_text" ? "secret" : "text", name, text };
}

const KINDS: Record<string, BindingKind | undefined> = {
  ...{ plain_text: "text", json: "json", secret_text: "secret", secret_key: "secret", d1: "d1" },
};

/** What is kept of the version before; secrets are, where the client says nothing. */
export function readKeep(types: string[] | undefined): BindingKind[] {
  const kinds = (types ?? ["secret_text"]).flatMap((type) => KINDS[type] ?? []);
  return [...new Set(kinds)];
}

/** Vars, databases and names of secrets as an answer has them. */
export function showBindings({ manifest, databases }: VersionDetail, secrets: readonly string[]): object[] {
  const { vars } = manifest;
  return [
    ...Object.entries(vars).map(([name, value]) =>
      typeof value === "string" ? { name, type: "plain_text", text: value } : { name, type: "json", json: value },
    ),
    ...databases.map(({ binding, id, name }) => ({ name: binding, type: "d1", id, database_name: name })),
    ...secrets.map((name) => ({ name, type: "secret_text" })),
  ];
}
