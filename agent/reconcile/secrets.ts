// Which secrets a version has: an upload carries its own, what git built has those of its function.
import type { SealedSecrets, Version } from "../model.js";
import type { Sealing } from "../secrets/sealing.js";
import type { FunctionRecord, Registry } from "../store/index.js";

type Kept = Pick<Registry, "functionSecrets" | "versionSecrets">;

/** Of a version, or of the one that git is about to build for the function. */
export function sealedOf(
  registry: Kept,
  record: FunctionRecord | undefined,
  version?: Pick<Version, "id" | "upload">,
): SealedSecrets {
  if (version?.upload) return registry.versionSecrets(version.id);
  if (!record) return {};
  const own = registry.functionSecrets(record.id);
  const isTakenOver = record.source === null && record.latest !== null && !Object.keys(own).length;
  return isTakenOver && !version ? registry.versionSecrets(record.latest!) : own;
}

/** Makes `BuildDeps.secretsOf`. */
export function createSecretsOf(registry: Registry, sealing: Sealing): (name: string) => Record<string, string> {
  return (name) => {
    const record = registry.functionByName(name) ?? registry.removedFunctions().find((found) => found.name === name);
    return record ? sealing.open(record.id, sealedOf(registry, record)) : {};
  };
}
