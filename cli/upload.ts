// From a function's folder to the form that is uploaded (API.md §1). Loads the bundler.

import { buildFunction } from "../agent/bundle/build.js";
import type { Bundle, BundleModule, Manifest } from "../agent/model.js";
import type { Project } from "./project.js";

/** What a person says about a version. */
export interface Annotations {
  message?: string | undefined;
  tag?: string | undefined;
  alias?: string | undefined;
}

/** With the agent's own bundler. @throws WrkstError */
export function bundleProject({ root, folder, manifest }: Project): Promise<Bundle> {
  return buildFunction({ root, folder, manifest }, { followLinks: true });
}

/** Bytes of all modules. */
export function sizeOf({ modules }: Bundle): number {
  return modules.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}

const TYPES: Record<BundleModule["kind"], string> = {
  esm: "application/javascript+module",
  cjs: "application/javascript",
  wasm: "application/wasm",
  text: "text/plain",
  data: "application/octet-stream",
  json: "application/json",
};

export function formOf(bundle: Bundle, manifest: Manifest, annotations: Annotations): FormData {
  const form = new FormData();
  form.append("metadata", JSON.stringify(metadataOf(bundle, manifest, annotations)));
  for (const { name, kind, bytes } of bundle.modules) {
    form.append(name, new Blob([bytes as Uint8Array<ArrayBuffer>], { type: TYPES[kind] }), name);
  }
  for (const [name, text] of Object.entries(bundle.sourceMaps)) {
    form.append(`${name}.map`, new Blob([text], { type: "application/source-map" }), `${name}.map`);
  }
  return form;
}

function metadataOf({ main }: Bundle, manifest: Manifest, { message, tag, alias }: Annotations) {
  const { health, egress, share = [], autoRollback = false, gradual = false } = manifest;
  return {
    main_module: main,
    compatibility_date: manifest.compatibilityDate,
    compatibility_flags: manifest.compatibilityFlags,
    bindings: [...varsOf(manifest), ...databasesOf(manifest)],
    keep_bindings: ["secret_text", "secret_key"],
    observability: { enabled: manifest.observability },
    annotations: {
      ...(message === undefined ? {} : { "workers/message": message }),
      ...(tag === undefined ? {} : { "workers/tag": tag }),
      ...(alias === undefined ? {} : { "workers/alias": alias }),
    },
    wrkst: { egress, share, auto_rollback: autoRollback, gradual, ...(health === undefined ? {} : { health }) },
  };
}

function varsOf({ vars }: Manifest) {
  return Object.entries(vars).map(([name, value]) =>
    typeof value === "string" ? { name, type: "plain_text", text: value } : { name, type: "json", json: value },
  );
}

function databasesOf({ d1Databases }: Manifest) {
  return d1Databases.map(({ binding, databaseId, databaseName }) => ({
    name: binding,
    type: "d1",
    ...(databaseId === undefined ? {} : { id: databaseId }),
    ...(databaseName === undefined ? {} : { database_name: databaseName }),
  }));
}
