// Makes versions out of what clients bring: checked, loaded once, stored, recorded; deployed only when that is asked for.
import { encodeArtifact, encodeSourceMaps } from "../../artifact/index.js";
import { invalid } from "../../deploy/names.js";
import { type Before, checkUpload, environmentOf, manifestOf } from "../../deploy/upload.js";
import { WrkstError } from "../../errors.js";
import {
  type Actor,
  type FunctionRef,
  isAliasName,
  isFunctionName,
  type Upload,
  type UploadOrigin,
} from "../../model.js";
import type { DirectChange, FunctionRecord, NewVersion } from "../../store/index.js";
import { checkLoad } from "../check-load.js";
import type { UploadOptions, VersionDetail } from "../deploys.js";
import { sealedOf } from "../secrets.js";
import type { DeployContext } from "./context.js";
import type { Reading } from "./reading.js";

const HINT = "nothing was stored or deployed; mend the top level of the module and try again";

export function createUploading(context: DeployContext, reading: Reading) {
  const { registry, artifacts, checker, sealing } = context.deps;

  async function upload(of: FunctionRef, brought: Upload, options: UploadOptions, by: Actor): Promise<VersionDetail> {
    const { create, previews = true } = options;
    checkUpload(brought);
    if (brought.alias !== undefined) checkAlias(brought.alias);
    const record = context.find(of) ?? (create ? undefined : context.expect(of));
    if (!record) checkName(of);
    if (record && brought.alias !== undefined) context.refuseSuspended(record);
    if (!record && registry.functionByName(of.name)) throw nameTaken(of.name);
    if (!record) refuseMore(of.account);
    const before = record && beforeOf(record);
    const environment = environmentOf(brought, before);
    const { kept, fresh } = environment;
    const owner = record?.id ?? removedId(of) ?? registry.databases.reservedId(of.account, of.name) ?? context.newId();
    const clear = { ...sealing.open(owner, kept), ...fresh };
    const { bundle, alias } = brought;
    const artifact = encodeArtifact(bundle);
    const manifest = manifestOf(of.name, brought, environment, before?.manifest);
    const loadable = { artifact, bundle, manifest, secrets: clear, hint: HINT };
    const { entrypoints, milliseconds } = await checkLoad(checker, loadable, context.deps.signal);
    const secrets = { ...kept, ...sealing.seal(owner, fresh) };
    const version: NewVersion = {
      id: context.newId(),
      function: of.name,
      account: of.account,
      artifact: await artifacts.put(artifact),
      ...(Object.keys(bundle.sourceMaps).length
        ? { sourceMaps: await artifacts.put(encodeSourceMaps(bundle.sourceMaps)) }
        : {}),
      size: bundle.modules.reduce((sum, module) => sum + module.bytes.byteLength, 0),
      ...{ manifest, entrypoints },
      upload: originOf("upload", brought, Object.keys(secrets), by),
    };
    const message = `version ${version.id.slice(0, 8)} of "${of.name}" was uploaded by ${by.name}`;
    const change: DirectChange = {
      ...of,
      ...(create ? { create: owner } : {}),
      ...{ cause: "api", by, version: { version, secrets } },
      ...(alias === undefined ? {} : { aliases: { [alias]: version.id }, releases: [alias] }),
      events: [{ kind: "version.uploaded", message }],
    };
    const { warnings, created } = await context.commit(change, { previews: previews || alias !== undefined });
    return {
      ...reading.version(of, version.id),
      startup: milliseconds,
      ...(created.length ? { created: created.map(({ id, name }) => ({ id, name })) } : {}),
      ...(warnings.length ? { warnings } : {}),
    };
  }

  function refuseMore(account: string): void {
    const { maxFunctions } = context.deps;
    const own = registry.functions().filter((record) => record.account === account && record.source === null);
    if (own.length < maxFunctions) return;
    throw new WrkstError("ERR_CONFLICT", `expected at most ${maxFunctions} functions of account "${account}"`, {
      hint: "delete what is not used any more, or ask the operator for a greater ACCOUNT_MAX_FUNCTIONS",
    });
  }

  /** What the next version builds on: the one that was made last. */
  function beforeOf(record: FunctionRecord): Before | undefined {
    const [last] = registry.versions(record.id);
    return last && { manifest: context.boundManifest(record, last), secrets: sealedOf(registry, record, last) };
  }

  /** A removed function of the account comes back under its own id, which its secrets are sealed for. */
  function removedId({ account, name }: FunctionRef): string | undefined {
    return registry.removedFunctions().find((found) => found.name === name && found.account === account)?.id;
  }

  return { upload };
}
export type Uploading = ReturnType<typeof createUploading>;

/** The number is given when the version is recorded. */
export function originOf(
  kind: UploadOrigin["kind"],
  said: { client: string; message?: string | undefined; tag?: string | undefined },
  secrets: string[],
  by: Actor,
): UploadOrigin {
  const { client, message, tag } = said;
  return {
    number: 0,
    kind,
    author: by.name,
    client,
    ...(message ? { message } : {}),
    ...(tag ? { tag } : {}),
    secrets: [...secrets].sort(),
  };
}

export function checkAlias(alias: string): void {
  if (isAliasName(alias)) return;
  throw invalid(
    `expected an alias of lower-case letters, digits and single hyphens that is not "latest" and does not look like a commit, received ${JSON.stringify(alias.slice(0, 100))}`,
  );
}

function nameTaken(name: string): WrkstError {
  return new WrkstError("ERR_NAME_TAKEN", `the name "${name}" belongs to a function of another account`, {
    hint: "give the function another name",
  });
}

function checkName({ name }: FunctionRef): void {
  if (isFunctionName(name)) return;
  throw invalid(
    `expected a function name of lower-case letters, digits and single hyphens, at most 53 characters, received ${JSON.stringify(name.slice(0, 100))}`,
  );
}
