// Which secrets a version has: an upload carries its own, what git built has those of its function.
import { bindingTaken } from "../deploy/names.js";
import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import type { Declaration, SealedSecrets, Version } from "../model.js";
import type { Sealing } from "../secrets/sealing.js";
import type { FunctionRecord, Registry } from "../store/index.js";

type Kept = Pick<Registry, "functionSecrets" | "versionSecrets">;

export function sealedOf(
  registry: Kept,
  record: Pick<FunctionRecord, "id">,
  version: Pick<Version, "id" | "upload">,
): SealedSecrets {
  return version.upload ? registry.versionSecrets(version.id) : registry.functionSecrets(record.id);
}

/** What a version that git gives will find: what was deployed directly keeps its secrets when git takes it over. */
export function sealedForGit(registry: Kept, { id, source, latest }: FunctionRecord): SealedSecrets {
  const own = registry.functionSecrets(id);
  const isTakenOver = source === null && latest !== null && !Object.keys(own).length;
  return isTakenOver ? registry.versionSecrets(latest) : own;
}

/** Makes `BuildDeps.secretsOf`. */
export function createSecretsOf(
  registry: Registry,
  sealing: Sealing,
  account: string,
): (name: string) => Record<string, string> {
  return (name) => {
    const record = registry.functionByName(name) ?? registry.removedFunctions().find((found) => found.name === name);
    return record?.account === account ? sealing.open(record.id, sealedForGit(registry, record)) : {};
  };
}

/** A declared binding that has the name of a secret of the function: one of the two would be gone without a word. */
export function hidesSecret(
  registry: Kept,
  { name, manifest, bindingPositions }: Declaration,
  record: FunctionRecord | undefined,
): ErrorReport | undefined {
  if (!record || !manifest || !bindingPositions) return undefined;
  const secrets = sealedForGit(registry, record);
  const hiding = Object.keys(bindingPositions).find((binding) => Object.hasOwn(secrets, binding));
  if (hiding === undefined) return undefined;
  const hint = `delete the secret first, or choose another name: wrkst secret delete ${hiding} --name ${name}`;
  return { ...reportOf(bindingTaken(hiding, hint)), position: bindingPositions[hiding]! };
}

const PROOF = "secrets.proof";

/**
 * Notes at the first start which key it was, and finds at every later one that it is still the same: otherwise every function
 * with secrets would fail at its next load. @throws WrkstError ERR_CONFIG for another key, as long as something is sealed
 */
export function checkKey(registry: Registry, sealing: Sealing): void {
  const proof = registry.setting(PROOF);
  if (proof !== undefined) {
    try {
      sealing.open(PROOF, { proof });
      return;
    } catch (cause) {
      if (registry.hasSecrets()) throw anotherKey(cause);
    }
  }
  registry.setSetting(PROOF, sealing.seal(PROOF, { proof: "" }).proof ?? "");
}

function anotherKey(cause: unknown): WrkstError {
  return new WrkstError("ERR_CONFIG", "the secrets of functions were sealed with another encryption key", {
    cause,
    hint: "start with the ENCRYPTION_KEY, or the file secrets/encryption-key, that they were set with",
  });
}
