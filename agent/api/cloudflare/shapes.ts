// Versions, deployments, functions as the Cloudflare-shaped API shows them. Pure.

import type { Deployment, FunctionRef, FunctionSettings, TrafficSplit } from "../../model.js";
import type { VersionDetail } from "../../reconcile/deploys.js";
import { showBindings } from "./bindings.js";

const date = (at: number) => new Date(at).toISOString();

/** `number` counts the versions of the function from 1 on; `secrets` are those that the version is served with. */
export function showVersion(version: VersionDetail, { number, secrets }: { number: number; secrets: string[] }) {
  const { id, manifest, upload, createdAt, entrypoints, startup } = version;
  const author = upload?.author ?? "git";
  return {
    id,
    number,
    created_on: date(createdAt),
    metadata: {
      created_on: date(createdAt),
      modified_on: date(createdAt),
      source: upload?.client ?? "git",
      author_id: author,
      author_email: author,
      has_preview: version.url !== null,
    },
    annotations: annotationsOf(version),
    resources: {
      bindings: showBindings(version, secrets),
      script: { etag: version.artifact, handlers: handlersOf(entrypoints), last_deployed_from: "wrangler" },
      script_runtime: {
        compatibility_date: manifest.compatibilityDate,
        compatibility_flags: manifest.compatibilityFlags,
        usage_model: "standard",
        limits: {},
      },
    },
    startup_time_ms: Math.round(startup ?? 0),
    url: version.url,
  };
}

function annotationsOf({ upload, commit }: VersionDetail): Record<string, string> {
  return {
    "workers/triggered_by": upload?.kind === "secret" ? "secret" : "upload",
    ...(commit === null ? {} : { "workers/tag": commit.slice(0, 12) }),
    ...(upload?.message === undefined ? {} : { "workers/message": upload.message }),
    ...(upload?.tag === undefined ? {} : { "workers/tag": upload.tag }),
  };
}

function handlersOf(entrypoints: string[]): string[] {
  return entrypoints.includes("default") ? ["fetch"] : [];
}

const TRIGGERS: Partial<Record<Deployment["cause"], string>> = { rollback: "rollback", secret: "secret" };

export function showDeployment({ id, at, cause, author, message, revision, ...rest }: Deployment) {
  const trigger = TRIGGERS[cause];
  const shown = message ?? revision;
  return {
    id,
    source: revision === null ? "api" : "git",
    strategy: "percentage",
    author_email: author,
    annotations: {
      ...(trigger === undefined ? {} : { "workers/triggered_by": trigger }),
      ...(shown === null || shown === undefined ? {} : { "workers/message": shown }),
    },
    created_on: date(at),
    versions: splitOf(rest).map(({ version, percentage }) => ({ version_id: version, percentage })),
  };
}

function splitOf({ to, split }: Pick<Deployment, "to" | "split">): TrafficSplit {
  return split ?? (to === null ? [] : [{ version: to, percentage: 100 }]);
}

/** Those whose versions are still there: clients ask for each of them. A removal serves nothing, so it is left out. */
export function showDeployments(deployments: Deployment[], versions: VersionDetail[]) {
  const known = new Set(versions.map(({ id }) => id));
  return deployments
    .filter((deployment) => splitOf(deployment).length > 0)
    .filter((deployment) => splitOf(deployment).every(({ version }) => known.has(version)))
    .map(showDeployment);
}

export interface ScriptParts {
  ref: FunctionRef;
  settings: FunctionSettings;
  versions: VersionDetail[];
  /** Milliseconds since 1970. */
  updatedAt: number;
}

/** A function as a list shows it. */
export function showScript({ ref, settings, versions, updatedAt }: ScriptParts) {
  const [newest] = versions;
  return {
    id: ref.name,
    tag: ref.name,
    tags: settings.tags,
    etag: newest?.artifact ?? "",
    handlers: handlersOf(newest?.entrypoints ?? []),
    usage_model: "standard",
    last_deployed_from: "wrangler",
    created_on: date(versions.at(-1)?.createdAt ?? updatedAt),
    modified_on: date(updatedAt),
  };
}

/** A function as a "service", which is what a deploy looks at first. */
export function showService(script: ReturnType<typeof showScript>) {
  const { created_on, modified_on } = script;
  const environment = { environment: "production", created_on, modified_on, script };
  return { id: script.id, default_environment: environment, environments: [environment], created_on, modified_on };
}
