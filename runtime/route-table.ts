// The routes in memory: which version a host leads to. Pure; every change is one synchronous step.
import type { Share } from "./assign.js";
import { type HostName, normalizeHost, parseHostName } from "./hosts.js";
import {
  MAX_REVISIONS,
  type RevisionRef,
  type RouteChange,
  type RouteEntry,
  type RouteTable,
  type VersionSpec,
} from "./wire.js";

/** Where a request goes. `none` stands for everything that is not reachable, whatever the reason. */
export type Target =
  | { kind: "version"; function: string; spec: VersionSpec; watched?: readonly string[] | undefined }
  /** Every request is assigned to one of them by itself. */
  | { kind: "split"; function: string; shares: Share[]; watched?: readonly string[] | undefined }
  | { kind: "unavailable"; function: string; reason: "suspended" | "quarantined" | "not-loaded" }
  | { kind: "agent" }
  | { kind: "none" };

export interface Routes {
  readonly generation: number;
  readonly size: number;
  has(function_: string): boolean;
  /** Versions of the function that are watched. */
  watched(function_: string): readonly string[];
  /** Target of a raw Host header. */
  resolve(rawHost: string): Target;
  /** False, and nothing done, when the change does not start from the present generation. */
  change(change: RouteChange): boolean;
  replace(table: RouteTable): void;
  /** Whether `latest`, a share of it or an alias leads to the version, loaded in this very way, or it is watched, so that it may soon serve again; prefixes of ids and commits do not count. */
  isNamed(function_: string, spec: VersionSpec): boolean;
}

const AGENT: Target = { kind: "agent" };
const NONE: Target = { kind: "none" };
const VERSION_PREFIX = /^[0-9a-f]{8}[0-9a-f-]*$/;
const COMMIT_PREFIX = /^[0-9a-f]{7,40}$/;

export function createRoutes(settings: { baseDomain: string; apiHosts: string[] }): Routes {
  const apiHosts = new Set(settings.apiHosts);
  let generation = 0;
  let functions = new Map<string, RouteEntry>();
  let customHosts = new Map<string, string>();
  let revisions: RevisionRef[] = [];

  const forgetHosts = (name: string) => {
    for (const host of functions.get(name)?.hosts ?? []) if (customHosts.get(host) === name) customHosts.delete(host);
  };
  const addHosts = (name: string, entry: RouteEntry) => {
    for (const host of entry.hosts) customHosts.set(host, name);
  };
  const named = ({ function: name, label }: HostName, isCustom: boolean): Target => {
    const entry = functions.get(name);
    if (!entry || (entry.offBase && !isCustom && (label === undefined || label === "latest"))) return NONE;
    return targetOf(name, entry, label, revisions);
  };

  return {
    get generation() {
      return generation;
    },
    get size() {
      return functions.size;
    },
    has: (function_) => functions.has(function_),
    watched: (function_) => functions.get(function_)?.watched ?? [],
    resolve(rawHost) {
      const host = normalizeHost(rawHost);
      if (host === undefined) return NONE;
      if (apiHosts.has(host)) return AGENT;
      const owner = customHosts.get(host);
      if (owner !== undefined) return named({ function: owner }, true);
      const name = parseHostName(host, settings.baseDomain);
      return name ? named(name, false) : NONE;
    },
    change(change) {
      if (change.from !== generation) return false;
      const entries = Object.entries(change.functions);
      for (const [name] of entries) forgetHosts(name);
      for (const [name, entry] of entries) {
        if (entry) {
          functions.set(name, entry);
          addHosts(name, entry);
        } else {
          functions.delete(name);
        }
      }
      revisions = [...revisions, ...change.revisions].slice(-MAX_REVISIONS);
      generation = change.to;
      return true;
    },
    replace(table) {
      functions = new Map(Object.entries(table.functions));
      customHosts = new Map();
      for (const [name, entry] of functions) addHosts(name, entry);
      revisions = table.revisions.slice(-MAX_REVISIONS);
      generation = table.generation;
    },
    isNamed(function_, spec) {
      const entry = functions.get(function_);
      if (!entry) return false;
      const shares = entry.split?.map(({ version }) => version) ?? [];
      const key = isolateKey(function_, spec);
      return [entry.latest, ...Object.values(entry.aliases), ...shares, ...(entry.watched ?? [])].some((name) => {
        const present = name === null ? undefined : own(entry.versions, name);
        return present?.id === spec.id && isolateKey(function_, present) === key;
      });
    },
  };
}

function targetOf(name: string, entry: RouteEntry, label: string | undefined, revisions: RevisionRef[]): Target {
  const isLatest = label === undefined || label === "latest";
  const id = isLatest ? entry.latest : versionOf(entry, label, revisions);
  const spec = id === null ? undefined : own(entry.versions, id);
  if (!spec && !isLatest) return NONE;
  if (entry.blocked) return { kind: "unavailable", function: name, reason: entry.blocked };
  const { watched } = entry;
  if (isLatest && entry.split) return { kind: "split", function: name, shares: sharesOf(entry, entry.split), watched };
  return spec
    ? { kind: "version", function: name, spec, watched }
    : { kind: "unavailable", function: name, reason: "not-loaded" };
}

function sharesOf({ versions }: RouteEntry, split: NonNullable<RouteEntry["split"]>): Share[] {
  return split.flatMap(({ version, percentage }) => {
    const spec = own(versions, version);
    return spec ? [{ spec, percentage }] : [];
  });
}

/** Alias, then prefix of a version id, then prefix of a commit; null for what is unknown or ambiguous. */
function versionOf(entry: RouteEntry, label: string, revisions: RevisionRef[]): string | null {
  const aliased = own(entry.aliases, label);
  if (aliased !== undefined) return aliased;
  const ids = VERSION_PREFIX.test(label) ? Object.keys(entry.versions).filter((id) => hasPrefix(id, label)) : [];
  if (ids.length) return ids.length === 1 ? ids[0]! : null;
  return COMMIT_PREFIX.test(label) ? versionAtCommit(entry, label, revisions) : null;
}

/** The digits of a UUID may be written with its hyphens or without. */
function hasPrefix(id: string, prefix: string): boolean {
  return id.startsWith(prefix) || id.replaceAll("-", "").startsWith(prefix);
}

/** What was deployed comes before what is only previewed. */
function versionAtCommit(entry: RouteEntry, prefix: string, revisions: RevisionRef[]): string | null {
  const commits = entry.commits ?? {};
  const previewed = Object.keys(commits).filter((commit) => commit.startsWith(prefix));
  const matching = revisions.filter(({ commit }) => commit.startsWith(prefix));
  const found = new Set([...previewed, ...matching.map(({ commit }) => commit)]);
  if (found.size !== 1) return null;
  const newest = matching.at(-1);
  const deployed = newest && entry.history.findLast(({ seq }) => seq <= newest.seq)?.version;
  return deployed ?? own(commits, previewed[0] ?? "") ?? null;
}

/** Versions of the same key can share an isolate: code, environment and outbound are the same. */
export function isolateKey(function_: string, spec: VersionSpec): string {
  const secrets = spec.secrets ? "secrets" : "";
  const databases = spec.databases ? databasesKey(spec.databases) : "";
  const preview = spec.preview === undefined ? "" : `@${spec.preview}`;
  return `${function_}@${spec.id}@${spec.artifact}@${spec.generation}@${spec.egress}@${secrets}@${databases}${preview}`;
}

/** Keys are asked for with every request, and a spec never changes. */
const keys = new WeakMap<object, string>();

function databasesKey(databases: NonNullable<VersionSpec["databases"]>): string {
  const key = keys.get(databases) ?? JSON.stringify(Object.entries(databases).sort());
  keys.set(databases, key);
  return key;
}

/** Names come from outside: `constructor` must not find what the object inherits. */
function own<T>(record: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Whether a value read from outside has the shape of a table, as deep as resolving relies on it. */
export function isRouteTable(value: unknown): value is RouteTable {
  const table = value as Partial<RouteTable> | null;
  if (typeof table !== "object" || table === null) return false;
  if (!Number.isSafeInteger(table.generation) || !Array.isArray(table.revisions)) return false;
  return isEntries(table.functions) && Object.values(table.functions).every(isRouteEntry);
}

/** Whether a value is a change that can be applied without failing half way. */
export function isRouteChange(value: unknown): value is RouteChange {
  const change = value as Partial<RouteChange> | null;
  if (typeof change !== "object" || change === null) return false;
  if (!Number.isSafeInteger(change.from) || !Number.isSafeInteger(change.to)) return false;
  if (!Array.isArray(change.revisions) || !isEntries(change.functions)) return false;
  return Object.values(change.functions).every((entry) => entry === null || isRouteEntry(entry));
}

function isRouteEntry(value: unknown): value is RouteEntry {
  const entry = value as Partial<RouteEntry> | null;
  if (typeof entry !== "object" || entry === null) return false;
  const lists = Array.isArray(entry.history) && Array.isArray(entry.hosts);
  return lists && isEntries(entry.aliases) && isEntries(entry.versions) && entry.latest !== undefined;
}

function isEntries(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
