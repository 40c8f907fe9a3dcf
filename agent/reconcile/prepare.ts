// Lets the serving runtime load versions before they are routed, and asks their health paths. Decides nothing itself.
import type { PrepareRequest, PrepareResult } from "../../runtime/wire.js";
import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import type { SealedSecrets, Version } from "../model.js";
import { type RouteOptions, specOfNext } from "../route/index.js";
import { type Sealing, withoutSecrets } from "../secrets/sealing.js";
import type { FunctionRecord, Registry } from "../store/index.js";
import { sealedForGit, sealedOf } from "./secrets.js";

export interface PrepareDeps {
  runtime: { readonly running: boolean; prepare(request: PrepareRequest): Promise<PrepareResult> };
  registry: Pick<Registry, "functionByName" | "functionSecrets" | "versionSecrets" | "databases">;
  sealing: Pick<Sealing, "open">;
  routes: () => RouteOptions;
}

/** Beyond this many functions in one switch only those with a health path are loaded before it: the others load at their first request. */
const MOST_LOADED_AHEAD = 32;

/** Makes `PassDeps.prepare`. Versions with a health path must pass it; a runtime that is down fails those alone. */
export function createPreparation(deps: PrepareDeps) {
  return async (versions: Version[], signal: AbortSignal): Promise<Map<string, ErrorReport>> => {
    const wanted = versions.filter((version) => version.manifest.health || versions.length <= MOST_LOADED_AHEAD);
    const failed = new Map<string, ErrorReport>();
    if (wanted.length === 0) return failed;
    signal.throwIfAborted();
    const answer = await ask(deps, wanted).catch((error: unknown) => reportOf(error));
    for (const version of wanted) {
      const error =
        "versions" in answer ? refusalOf(deps, version, answer) : version.manifest.health ? answer : undefined;
      if (error) failed.set(version.id, error);
    }
    return failed;
  };
}

async function ask(deps: PrepareDeps, versions: Version[]): Promise<PrepareResult> {
  if (!deps.runtime.running) {
    throw new WrkstError("ERR_RUNTIME", "the runtime does not run, so the health path cannot be asked");
  }
  const options = deps.routes();
  return deps.runtime.prepare({
    versions: versions.map((version) => {
      const { function: name, account } = version;
      const record = deps.registry.functionByName(name);
      const { id = deps.registry.databases.functionId(account, name), generation = 0 } = record ?? {};
      const secrets = record ? secretsOf(deps, record, version) : {};
      const databases = deps.registry.databases.boundTo(id, version.id);
      const owner = { id, account, name, generation, database: null };
      const spec = specOfNext({ ...version, secrets, databases, copies: {} }, owner, options);
      return { function: name, spec, health: version.manifest.health };
    }),
  });
}

function secretsOf({ registry }: PrepareDeps, record: FunctionRecord, version: Version): SealedSecrets {
  return version.upload ? sealedOf(registry, record, version) : sealedForGit(registry, record);
}

/** What a function says of its failure may hold what was sealed. */
function refusalOf(deps: PrepareDeps, version: Version, answer: PrepareResult): ErrorReport | undefined {
  const result = answer.versions[version.id];
  if (!result) return undefined;
  const record = deps.registry.functionByName(version.function);
  const secrets = record ? deps.sealing.open(record.id, secretsOf(deps, record, version)) : {};
  const message = withoutSecrets(result.message, Object.values(secrets));
  if (result.kind === "load") return reportOf(new WrkstError("ERR_LOAD", message));
  return reportOf(
    new WrkstError("ERR_HEALTH", `the health path "${version.manifest.health}" refused: ${message}`, {
      hint: "it must answer 2xx within 2 s; the version that served before keeps serving",
    }),
  );
}
