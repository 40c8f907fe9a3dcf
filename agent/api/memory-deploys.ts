// Direct deploys in memory, for tests of what stands in front of them. Nothing is loaded; names and shapes are as they are.

import { randomUUID } from "node:crypto";
import { WrkstError } from "../errors.js";
import {
  type AskedHosts,
  type Deployment,
  EVERY_ALIAS,
  type FunctionRef,
  type FunctionSettings,
  type Hold,
  type Upload,
} from "../model.js";
import type { AliasDetail, Deploys, VersionDetail } from "../reconcile/deploys.js";
import { testManifest } from "../test-manifest.js";

interface Known {
  account: string;
  versions: (VersionDetail & { upload: NonNullable<VersionDetail["upload"]>; brought: Upload["bundle"] })[];
  deployments: Deployment[];
  aliases: Map<string, string>;
  holds: Hold[];
  settings: FunctionSettings;
  hosts: AskedHosts;
}

export interface MemoryDeploys extends Deploys {
  /** Every upload that passed the checks of the API. */
  uploads: Upload[];
  known: Map<string, Known>;
  /** A function with one version that serves. */
  seed(of: FunctionRef): string;
}

export function createMemoryDeploys(): MemoryDeploys {
  const known = new Map<string, Known>();
  const uploads: Upload[] = [];
  const find = ({ account, name }: FunctionRef) => {
    const found = known.get(name);
    if (found?.account === account) return found;
    throw new WrkstError("ERR_NOT_FOUND", `there is no function "${name}" on account "${account}"`);
  };
  const versionOf = (of: FunctionRef, wanted: string) => {
    const found = find(of);
    const id = found.aliases.get(wanted);
    const version = found.versions.find((one) => one.id === (id ?? wanted) || one.id.startsWith(wanted));
    if (version) return version;
    throw new WrkstError("ERR_VERSION_NOT_FOUND", `"${of.name}" has no version "${wanted}"`);
  };
  const record = (of: FunctionRef, deployment: Pick<Deployment, "cause" | "author" | "to">): Deployment => {
    const made = { ...deployment, id: randomUUID(), function: of.name, at: 1, revision: null, from: null };
    find(of).deployments.unshift(made);
    return made;
  };
  const add = (found: Known, of: FunctionRef, upload: Upload, author: string) => {
    const before = found.versions[0];
    const kept = upload.keep.includes("secret") ? (before?.upload.secrets ?? []) : [];
    const own = upload.bindings.flatMap(({ kind, name }) => (kind === "secret" || kind === "inherit" ? [name] : []));
    const vars = upload.bindings.flatMap((one) =>
      one.kind === "text" ? [[one.name, one.text]] : one.kind === "json" ? [[one.name, one.json]] : [],
    );
    const version = {
      ...{ id: randomUUID(), function: of.name, account: of.account, artifact: "sha256:0", size: 1, createdAt: 1 },
      ...{ entrypoints: ["default"], aliases: [], percentage: 0, commit: null, url: null, databases: [], startup: 1 },
      manifest: testManifest({ name: of.name, vars: Object.fromEntries(vars) }),
      brought: upload.bundle,
      upload: {
        ...{ number: found.versions.length + 1, kind: "upload" as const, author, client: upload.client },
        secrets: [...new Set([...kept, ...own])].sort(),
      },
    };
    found.versions.unshift(version);
    return version;
  };
  const deploys: MemoryDeploys = {
    uploads,
    known,
    seed(of) {
      const settings = { tags: [], logpush: false, observability: false, enabled: true, previews: true };
      const found: Known = {
        ...{ account: of.account, versions: [], deployments: [], aliases: new Map(), holds: [], settings, hosts: {} },
      };
      known.set(of.name, found);
      const bundle = { main: "index.js", modules: [], sourceMaps: {} };
      const { id } = add(found, of, { bundle, bindings: [], keep: [], client: "api" }, "seed");
      record(of, { cause: "api", author: "seed", to: id });
      return id;
    },
    async upload(of, upload, { create }, by) {
      if (!known.has(of.name) && create) {
        deploys.seed(of);
        find(of).versions.length = 0;
        find(of).deployments.length = 0;
      }
      if (known.get(of.name)?.account !== of.account) {
        throw new WrkstError("ERR_NAME_TAKEN", `the name "${of.name}" is taken`);
      }
      uploads.push(upload);
      return add(find(of), of, upload, by.name);
    },
    versions: (of) => find(of).versions,
    version: versionOf,
    bundle: async (of, version) => ({
      ...versionOf(of, version).brought,
      ...{ warnings: [], outsideFiles: [], outsideFolders: [] },
    }),
    deployments: (of) => find(of).deployments,
    async deploy(of, { versions }, by) {
      const total = versions.reduce((sum, { percentage }) => sum + percentage, 0);
      if (total !== 100) throw new WrkstError("ERR_INVALID", `expected shares that sum to 100, received ${total}`);
      const ids = versions.map(({ version }) => versionOf(of, version).id);
      return record(of, { cause: "api", author: by.name, to: ids[0] ?? null });
    },
    promote: async (of, by) => record(of, { cause: "api", author: by.name, to: find(of).versions[0]?.id ?? null }),
    rollback: async (of, { to = "" }, by) =>
      record(of, { cause: "rollback", author: by.name, to: to === "" ? null : versionOf(of, to).id }),
    aliases: (of) => [...find(of).aliases].map(([name, version]) => aliasDetail(name, version)),
    async setAlias(of, alias, version) {
      const { id } = versionOf(of, version);
      find(of).aliases.set(alias, id);
      return aliasDetail(alias, id);
    },
    async deleteAlias(of, alias) {
      if (!find(of).aliases.delete(alias)) throw new WrkstError("ERR_NOT_FOUND", `there is no alias "${alias}"`);
    },
    holds: (of) => find(of).holds,
    async pin(of, alias, { version, ...rest }, by) {
      const hold: Hold = {
        ...rest,
        alias,
        kind: "pin",
        version: versionOf(of, version).id,
        author: by.name,
        createdAt: 1,
      };
      find(of).holds.push(hold);
      return hold;
    },
    async unpin(of, alias) {
      const found = find(of);
      const rest = found.holds.filter((hold) => hold.alias !== alias);
      if (rest.length === found.holds.length) throw new WrkstError("ERR_NOT_FOUND", `nothing holds "${alias}"`);
      found.holds = rest;
    },
    async suspend(of, { reason, expires, offline }, by) {
      const { version } = find(of).holds[0] ?? { version: versionOf(of, "").id };
      const hold: Hold = {
        ...{ alias: EVERY_ALIAS, kind: "suspension", version, reason, author: by.name, createdAt: 1 },
        ...(expires === undefined ? {} : { expiresAt: expires }),
        ...(offline ? { offline } : {}),
      };
      find(of).holds.push(hold);
      return hold;
    },
    async resume(of) {
      const found = known.get(of.name);
      const rest = found?.holds.filter(({ alias }) => alias !== EVERY_ALIAS) ?? [];
      const wasSuspended = found !== undefined && rest.length < found.holds.length;
      if (found) found.holds = rest;
      return wasSuspended;
    },
    secrets: (of) => find(of).versions[0]?.upload.secrets ?? [],
    async setSecrets(of, changes, { client }, by) {
      const found = find(of);
      const before = new Set(found.versions[0]?.upload.secrets);
      for (const [name, text] of Object.entries(changes)) text === null ? before.delete(name) : before.add(name);
      const bindings = [...before].map((name) => ({ kind: "inherit" as const, name }));
      const bundle = found.versions[0]?.brought ?? { main: "", modules: [], sourceMaps: {} };
      return add(found, of, { bundle, bindings, keep: [], client }, by.name);
    },
    settings: (of) => find(of).settings,
    async setSettings(of, changes) {
      const found = find(of);
      found.settings = { ...found.settings, ...changes };
      return found.settings;
    },
    async setHosts(of, { kind, hosts }) {
      find(of).hosts[kind] = hosts;
    },
    async remove(of) {
      find(of);
      known.delete(of.name);
    },
  };
  return deploys;
}

function aliasDetail(name: string, version: string): AliasDetail {
  return { name, version, createdAt: 1, url: `http://${name}--hello.localhost:8080` };
}
