// Makes of an artifact what the loader takes: the function's modules and the two of ours that surround them. Pure.
import type { Artifact } from "./artifact.js";
import { PRELUDE_SOURCES } from "./prelude.js";
import { HOST_ENTRYPOINT, type ModuleKind, RESERVED_MODULES } from "./wire.js";

/** One module as the loader takes it. */
export type LoadedModule =
  | { js: string }
  | { cjs: string }
  | { text: string }
  | { json: unknown }
  | { data: ArrayBuffer }
  | { wasm: ArrayBuffer };

export interface LoadedModules {
  mainModule: string;
  modules: Record<string, LoadedModule>;
}

const [ENTRY, PRELUDE] = RESERVED_MODULES as [string, string];

/** What is exported of a version that serves, and whether it has databases in `env`. */
export interface Served {
  entrypoints: string[];
  hasDatabases: boolean;
}

/** The modules of a version that serves: exactly its entry points are exported, and the host's own. */
export function servingModules(artifact: Artifact, { entrypoints, hasDatabases }: Served): LoadedModules {
  const main = specifierOf(artifact.main);
  const names = entrypoints.filter((name) => name !== HOST_ENTRYPOINT && name !== "default");
  const named = names.map((name) => JSON.stringify(name)).map((name) => `${name} as ${name}`);
  const hasDefault = entrypoints.includes("default");
  return surround(
    artifact,
    hasDatabases ? PRELUDE_SOURCES.binding : PRELUDE_SOURCES.plain,
    `import { bindDatabases, countWork, withStacks, work } from ${JSON.stringify(`./${PRELUDE}`)};
export { ${named.join(", ")} } from ${main};
${hasDefault ? `import main from ${main};\nexport default withStacks(main);` : ""}
import { WorkerEntrypoint, abortIsolate } from "cloudflare:workers";
export class ${HOST_ENTRYPOINT} extends WorkerEntrypoint {
  describe() { countWork(this.ctx); bindDatabases(this.env); }
  isBusy() { return work.count > 0; }
  evict() { abortIsolate("evicted"); }
}
`,
  );
}

/** The modules of a version that is only looked at: nothing of the function's is an entry point. */
export function checkModules(artifact: Artifact): LoadedModules {
  return surround(
    artifact,
    PRELUDE_SOURCES.binding,
    `import ${JSON.stringify(`./${PRELUDE}`)};
import * as exported from ${specifierOf(artifact.main)};
import { WorkerEntrypoint, DurableObject, WorkflowEntrypoint, abortIsolate } from "cloudflare:workers";
const HANDLERS = ["fetch", "scheduled", "queue", "email", "tail", "tailStream", "trace", "connect", "test"];
function kindOf(value) {
  if (typeof value === "function") {
    if (value === WorkerEntrypoint || value.prototype instanceof WorkerEntrypoint) return "entrypoint";
    return value.prototype instanceof DurableObject || value.prototype instanceof WorkflowEntrypoint ? "object class" : "function";
  }
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return HANDLERS.some((name) => typeof value[name] === "function") ? "handler" : "object";
}
export class ${HOST_ENTRYPOINT} extends WorkerEntrypoint {
  describe() { return Object.keys(exported).map((name) => ({ name, kind: kindOf(exported[name]) })); }
  evict() { abortIsolate("evicted"); }
}
`,
  );
}

function surround(artifact: Artifact, prelude: string, entry: string): LoadedModules {
  const modules: LoadedModules["modules"] = { [ENTRY]: { js: entry }, [PRELUDE]: { js: prelude } };
  for (const { name, kind, bytes } of artifact.modules) {
    if (RESERVED_MODULES.includes(name)) throw new Error(`the name "${name}" is reserved`);
    modules[name] = loadedModule(kind, bytes);
  }
  return { mainModule: ENTRY, modules };
}

function loadedModule(kind: ModuleKind, bytes: Uint8Array): LoadedModule {
  switch (kind) {
    case "esm":
      return { js: decode(bytes) };
    case "cjs":
      return { cjs: decode(bytes) };
    case "text":
      return { text: decode(bytes) };
    case "json":
      return { json: JSON.parse(decode(bytes)) };
    case "data":
      return { data: bytes.slice().buffer };
    case "wasm":
      return { wasm: bytes.slice().buffer };
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
}

function specifierOf(module: string): string {
  return JSON.stringify(`./${module}`);
}
