// What belongs to a function beside its versions: secrets, settings, custom hosts, and its life.
import { decodeArtifact, decodeSourceMaps } from "../../artifact/index.js";
import { checkValueName, invalid } from "../../deploy/names.js";
import { moveOf } from "../../deploy/traffic.js";
import { UPLOAD_LIMITS } from "../../deploy/upload.js";
import { WrkstError } from "../../errors.js";
import type {
  Actor,
  AskedHosts,
  FunctionRef,
  FunctionSettings,
  HostKind,
  SealedSecrets,
  Version,
} from "../../model.js";
import { refusalOfHost } from "../../route/index.js";
import type { FunctionRecord } from "../../store/index.js";
import { checkLoad } from "../check-load.js";
import type { Deploys, VersionDetail } from "../deploys.js";
import { sealedOf } from "../secrets.js";
import type { DeployContext } from "./context.js";
import type { Reading } from "./reading.js";
import { originOf } from "./uploading.js";

type Changes = Record<string, string | null>;
type SecretOptions = Parameters<Deploys["setSecrets"]>[2];

const MAX_HOSTS = 100;
const MAX_TAGS = 100;
const HOST = /^(?=.{3,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/;

export function createOwning(context: DeployContext, reading: Reading) {
  const { registry, artifacts, checker, sealing, routes } = context.deps;

  async function setSecrets(
    of: FunctionRef,
    changes: Changes,
    options: SecretOptions,
    by: Actor,
  ): Promise<VersionDetail | null> {
    for (const name of Object.keys(changes)) checkValueName(name);
    const record = context.expect(of);
    if (record.source !== null) return setSecretsOfGit(record, changes, by);
    const { latest, split } = record;
    const isServing = options.base === "serving" && latest !== null;
    if (isServing && split) {
      throw new WrkstError("ERR_SPLIT", `the traffic of "${of.name}" is divided: no version serves at 100 %`, {
        hint: "finish the gradual deployment first: wrkst deployments status",
      });
    }
    // Refuses what a hold forbids.
    if (isServing) moveOf({ ...record, hold: context.holdOf(record) }, { versions: [], isOlder: false, force: false });
    const base = isServing ? registry.version(latest) : registry.versions(record.id)[0];
    if (!base) {
      throw new WrkstError("ERR_VERSION_NOT_FOUND", `"${of.name}" has no version yet`, { hint: "upload one first" });
    }
    return addSecretVersion({ record, base, changes, options, isServing, by });
  }

  async function addSecretVersion(parts: {
    record: FunctionRecord;
    base: Version;
    changes: Changes;
    options: SecretOptions;
    isServing: boolean;
    by: Actor;
  }): Promise<VersionDetail> {
    const { record, base, changes, options, isServing, by } = parts;
    const { account, name } = record;
    const secrets = changed(record, sealedOf(registry, record, base), changes, base);
    const { entrypoints, milliseconds } = await load(record, base, secrets);
    const { createdAt: _, ...kept } = { ...base, manifest: context.boundManifest(record, base) };
    const upload = originOf("secret", options, Object.keys(secrets), by);
    const id = context.newId();
    const { message } = options;
    await context.commit({
      ...{ account, name, cause: "secret", by },
      version: { version: { ...kept, id, entrypoints, upload }, secrets },
      ...(isServing ? { latest: id } : {}),
      ...(message ? { message } : {}),
      events: [secretEvent(name, changes, by)],
    });
    return { ...reading.version(record, id), startup: milliseconds };
  }

  /** The version stays, its isolates are loaded afresh with the new values; a rollback does not bring old ones back. */
  async function setSecretsOfGit(record: FunctionRecord, changes: Changes, by: Actor): Promise<null> {
    const { account, name, latest, split } = record;
    const serving = [...new Set([latest, ...(split ?? []).map(({ version }) => version)])]
      .flatMap((id) => (id === null ? [] : (registry.version(id) ?? [])))
      .filter((version) => !version.upload);
    const secrets = changed(record, registry.functionSecrets(record.id), changes, serving[0]);
    for (const version of serving) await load(record, version, secrets);
    await context.commit({ account, name, cause: "secret", by, secrets, events: [secretEvent(name, changes, by)] });
    return null;
  }

  function changed(
    { id, name: function_ }: FunctionRecord,
    before: SealedSecrets,
    changes: Changes,
    base: Version | undefined,
  ): SealedSecrets {
    const entries = Object.entries(changes);
    const set = Object.fromEntries(entries.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
    for (const name of Object.keys(set)) {
      const isVar = base && Object.hasOwn(base.manifest.vars, name);
      if (!isVar && !base?.manifest.d1Databases.some(({ binding }) => binding === name)) continue;
      const what = isVar ? "var" : "database";
      throw new WrkstError(
        "ERR_BINDING_TAKEN",
        `"${function_}" has a ${what} "${name}": one name stands for one value`,
        {
          hint: `remove the ${what} first, or choose another name`,
        },
      );
    }
    if (entries.length === 1 && !Object.keys(set).length && !Object.hasOwn(before, entries[0]![0])) {
      throw new WrkstError("ERR_NOT_FOUND", `"${function_}" has no secret "${entries[0]![0]}"`);
    }
    const kept = Object.entries(before).filter(([name]) => !Object.hasOwn(changes, name));
    const after = { ...Object.fromEntries(kept), ...sealing.seal(id, set) };
    const size = Buffer.byteLength(JSON.stringify([base?.manifest.vars ?? {}, after]));
    if (size > UPLOAD_LIMITS.env) {
      throw new WrkstError(
        "ERR_TOO_LARGE",
        `expected at most ${UPLOAD_LIMITS.env} bytes of vars and secrets, received ${size}`,
      );
    }
    return after;
  }

  /** A secret that the top level cannot live with, or without, takes no function down. */
  async function load(record: FunctionRecord, version: Version, secrets: SealedSecrets) {
    const artifact = await artifacts.get(version.artifact);
    const sourceMaps = version.sourceMaps ? decodeSourceMaps(await artifacts.get(version.sourceMaps)) : {};
    const bundle = { modules: decodeArtifact(artifact).modules, sourceMaps };
    const clear = sealing.open(record.id, secrets);
    const hint = "the secrets were not changed: the version that serves would not load with them";
    return checkLoad(
      checker,
      { artifact, bundle, manifest: version.manifest, secrets: clear, hint },
      context.deps.signal,
    );
  }

  async function setSettings(
    of: FunctionRef,
    changes: Partial<FunctionSettings>,
    by: Actor,
  ): Promise<FunctionSettings> {
    const record = context.expect(of);
    const before = reading.settingsOf(record);
    if (record.source !== null) {
      const moved = (["enabled", "previews"] as const).find((key) => (changes[key] ?? before[key]) !== before[key]);
      if (moved) throw gitOwned(record, `"workers_dev" and "preview_urls" are set by its wrangler file`);
    }
    checkTags(changes.tags ?? []);
    const settings = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    const message = `settings of "${of.name}" were changed by ${by.name}: ${Object.keys(settings).sort().join(", ")}`;
    await context.commit({
      ...of,
      cause: "api",
      by,
      settings,
      events: [{ kind: "function.settings-changed", message }],
    });
    return reading.settings(of);
  }

  async function setHosts(
    of: FunctionRef,
    { kind, hosts }: { kind: HostKind; hosts: string[] },
    by: Actor,
  ): Promise<void> {
    const record = context.expect(of);
    if (record.source !== null) throw gitOwned(record, "its hosts are those of its wrangler file");
    const others = askedBefore(record, kind === "route" ? "domain" : "route");
    const asked: AskedHosts = { ...others, [kind]: [...new Set(hosts.map((host) => host.toLowerCase()))] };
    const wanted = [...new Set(Object.values(asked).flat())];
    if (wanted.length > MAX_HOSTS) throw invalid(`expected at most ${MAX_HOSTS} hosts, received ${wanted.length}`);
    for (const host of asked[kind] ?? []) checkHost(record, host);
    const message = `hosts of "${of.name}" were set by ${by.name}: ${wanted.join(", ") || "none"}`;
    await context.commit({
      ...of,
      cause: "api",
      by,
      hosts: asked,
      events: [{ kind: "function.hosts-changed", message }],
    });
  }

  /** Without those that the function has lost since, by a removal or to git. */
  function askedBefore({ id, hosts }: FunctionRecord, kind: HostKind): AskedHosts {
    const before = registry.functionAskedHosts(id)[kind] ?? [];
    return { [kind]: before.filter((host) => Object.hasOwn(hosts, host)) };
  }

  function checkHost(record: FunctionRecord, host: string): void {
    if (!HOST.test(host)) throw invalid(`expected an exact host name, received ${JSON.stringify(host.slice(0, 100))}`);
    const reason = refusalOfHost(host, routes());
    if (reason) throw invalid(`the host "${host}" is refused: ${reason}`);
    const owner = registry.functions().find((other) => other.id !== record.id && Object.hasOwn(other.hosts, host));
    // Whose it is, is told to those only who may know that function.
    if (owner) throw new WrkstError("ERR_CONFLICT", `the host "${host}" belongs to another function`);
  }

  async function remove(of: FunctionRef, { force }: { force: boolean }, by: Actor): Promise<void> {
    const record = context.expect(of);
    if (record.source !== null && !force) throw gitOwned(record, "remove its folder there");
    context.refuseSuspended(record);
    registry.applySwitch({
      ...{ cause: "removal", author: by.name, by },
      functions: [{ ...of, source: null, folder: record.folder, state: "removed" }],
      events: [
        {
          ...{ kind: "function.removed", function: of.name, functionId: record.id, account: of.account },
          ...{ message: `"${of.name}" was removed by ${by.name}`, actor: by },
        },
      ],
    });
    await context.publish();
  }

  return { setSecrets, setSettings, setHosts, remove };
}

/** Names only, never values. */
function secretEvent(function_: string, changes: Changes, by: Actor) {
  const named = (isSet: boolean) =>
    Object.keys(changes)
      .filter((name) => (changes[name] !== null) === isSet)
      .sort()
      .join(", ");
  const parts = [named(true) && `set ${named(true)}`, named(false) && `removed ${named(false)}`].filter(Boolean);
  return {
    kind: "secret.changed",
    message: `secrets of "${function_}" were changed by ${by.name}: ${parts.join("; ")}`,
  };
}

function gitOwned({ name, source }: FunctionRecord, what: string): WrkstError {
  return new WrkstError("ERR_GIT_OWNED", `"${name}" is declared by the source "${source}": ${what}`, {
    hint: "push the change to the source",
  });
}

function checkTags(tags: string[]): void {
  const isWrong = tags.length > MAX_TAGS || tags.some((tag) => tag.length > UPLOAD_LIMITS.text);
  if (isWrong) throw invalid(`expected at most ${MAX_TAGS} tags of at most 1,000 characters`);
}
