// What is known of a function's versions, aliases, holds and secrets, as clients ask for it. Changes nothing.
import { decodeArtifact, decodeSourceMaps } from "../../artifact/index.js";
import {
  type Bundle,
  type Deployment,
  type FunctionRef,
  type FunctionSettings,
  type Hold,
  holdOfPin,
  type Version,
} from "../../model.js";
import type { FunctionRecord } from "../../store/index.js";
import type { AliasDetail, VersionDetail } from "../deploys.js";
import { sealedOf } from "../secrets.js";
import type { DeployContext } from "./context.js";

/** Deployments that are answered at most. */
const MAX_DEPLOYMENTS = 100;

export function createReading(context: DeployContext) {
  const { registry, artifacts, urlOf } = context.deps;

  function detailOf(record: FunctionRecord, version: Version, aliases = registry.aliases(record.id)): VersionDetail {
    const { latest, split } = record;
    const shares = split ?? (latest === null ? [] : [{ version: latest, percentage: 100 }]);
    const previews = record.source === null ? registry.functionSettings(record.id).previews : undefined;
    const serves = shares.some((share) => share.version === version.id);
    const isOpen = serves || (previews ?? version.manifest.previewUrls);
    return {
      ...version,
      aliases: aliases.filter(({ versionId }) => versionId === version.id).map(({ name }) => name),
      percentage: shares.find((share) => share.version === version.id)?.percentage ?? 0,
      commit: registry.firstRevision(version.id)?.commit ?? null,
      url: isOpen ? urlOf(record.name, version.id.slice(0, 8)) : null,
      databases: databasesOf(record, version),
    };
  }

  function databasesOf({ id }: FunctionRecord, { id: version, manifest }: Version): VersionDetail["databases"] {
    if (!manifest.d1Databases.length) return [];
    const bound = registry.databases.boundTo(id, version);
    return manifest.d1Databases.flatMap(({ binding }) => {
      const database = bound[binding];
      return database ? [{ binding, id: database.id, name: database.name }] : [];
    });
  }

  function settingsOf(record: FunctionRecord): FunctionSettings {
    const manifest = (record.latest === null ? undefined : registry.version(record.latest))?.manifest;
    const declared = record.source === null ? {} : { enabled: manifest?.workersDev, previews: manifest?.previewUrls };
    const set = { ...registry.functionSettings(record.id), ...present(declared) };
    return {
      tags: set.tags ?? [],
      logpush: set.logpush ?? false,
      observability: set.observability ?? manifest?.observability ?? false,
      enabled: set.enabled ?? manifest?.workersDev ?? true,
      previews: set.previews ?? manifest?.previewUrls ?? true,
    };
  }

  /** Of people, and, where there is none, those that the repository declares. */
  function holdsOf({ id }: FunctionRecord): Hold[] {
    const own = registry.holds(id);
    const declared = registry.declaredPins(id).filter(({ alias }) => !own.some((hold) => hold.alias === alias));
    return [...own, ...declared.map(holdOfPin)];
  }

  function aliasesOf(record: FunctionRecord): AliasDetail[] {
    const holds = new Map(holdsOf(record).map((hold) => [hold.alias, hold]));
    return registry.aliases(record.id).map(({ name, versionId, updatedAt }) => {
      const hold = holds.get(name);
      const url = urlOf(record.name, name === "latest" ? undefined : name);
      return { name, version: versionId, createdAt: updatedAt, url, ...(hold ? { hold } : {}) };
    });
  }

  return {
    detailOf,
    settingsOf,
    aliasesOf,
    versions(of: FunctionRef): VersionDetail[] {
      const record = context.expect(of);
      const aliases = registry.aliases(record.id);
      return registry.versions(record.id).map((version) => detailOf(record, version, aliases));
    },
    version(of: FunctionRef, text: string): VersionDetail {
      const record = context.expect(of);
      return detailOf(record, context.resolve(record, text));
    },
    async bundle(of: FunctionRef, text: string): Promise<Bundle> {
      const version = context.resolve(context.expect(of), text);
      const { main, modules } = decodeArtifact(await artifacts.get(version.artifact));
      const maps = version.sourceMaps === undefined ? {} : decodeSourceMaps(await artifacts.get(version.sourceMaps));
      return { main, modules, sourceMaps: maps, warnings: [], outsideFiles: [], outsideFolders: [] };
    },
    deployments: (of: FunctionRef): Deployment[] => registry.deployments(context.expect(of).id, MAX_DEPLOYMENTS),
    aliases: (of: FunctionRef): AliasDetail[] => aliasesOf(context.expect(of)),
    holds: (of: FunctionRef): Hold[] => holdsOf(context.expect(of)),
    secrets(of: FunctionRef): string[] {
      const record = context.expect(of);
      const serving = record.latest === null ? registry.versions(record.id)[0] : registry.version(record.latest);
      const sealed =
        record.source === null && serving ? sealedOf(registry, record, serving) : registry.functionSecrets(record.id);
      return Object.keys(sealed).sort();
    },
    settings: (of: FunctionRef): FunctionSettings => settingsOf(context.expect(of)),
  };
}
export type Reading = ReturnType<typeof createReading>;

function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
