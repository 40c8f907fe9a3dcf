// Decides which host serves which version: the route table from what the registry knows. Pure; equal states give equal tables.

import {
  MAX_REVISIONS,
  type RouteChange,
  type RouteEntry,
  type RouteTable,
  type VersionSpec,
} from "../../runtime/wire.js";
import {
  isFunctionName,
  type RoutedFunction,
  type RoutedPreview,
  type RoutedVersion,
  type RouteState,
} from "../model.js";
import { databasesOf, previewDatabases } from "./databases.js";
import { isEqualJson } from "./equal-json.js";
import { routeHosts } from "./route-hosts.js";

export interface RouteOptions {
  /** Milliseconds since 1970. */
  now: number;
  /** How long hosts of replaced versions answer, in milliseconds; 0 = for ever. */
  previewRetention: number;
  /** Functions that may reach `EGRESS_ALLOW`: `<account>/<name>` or `<account>/*`. */
  privateEgress: string[];
  /** No custom host may be it or lie under it. */
  baseDomain: string;
  /** Further hosts that no function may have, e.g. the one of PUBLIC_URL. */
  reservedHosts?: string[];
}

/** The table for the state. Entries that equal those of `previous` are those of `previous`, so that comparing is cheap. */
export function buildRouteTable(state: RouteState, options: RouteOptions, previous?: RouteTable): RouteTable {
  const hosts = routeHosts(state.functions, options);
  const revisions = state.revisions.slice(-MAX_REVISIONS).map(({ seq, commit }) => ({ seq, commit }));
  const oldestSeq = revisions[0]?.seq ?? 0;
  const functions: Record<string, RouteEntry> = {};
  for (const function_ of state.functions) {
    if (!isFunctionName(function_.name) || function_.state === "removed" || function_.state === "name-taken") continue;
    const entry = entryOf(function_, hosts.get(function_.name) ?? [], oldestSeq, options);
    const before = previous?.functions[function_.name];
    functions[function_.name] = before && isEqualJson(before, entry) ? before : entry;
  }
  return { generation: state.generation, functions, revisions };
}

/**
 * What must be sent so that `before` becomes `after`, or null when they serve the same, whatever their generations.
 * Where time alone changed the table, its generation has to be raised before it is published.
 */
export function diffRouteTables(before: RouteTable, after: RouteTable): RouteChange | null {
  const functions: RouteChange["functions"] = {};
  for (const [name, entry] of Object.entries(after.functions)) {
    const old = Object.hasOwn(before.functions, name) ? before.functions[name] : undefined;
    if (!isEqualJson(old, entry)) functions[name] = entry;
  }
  for (const name of Object.keys(before.functions)) if (!Object.hasOwn(after.functions, name)) functions[name] = null;
  const newest = before.revisions.at(-1)?.seq ?? -1;
  const revisions = after.revisions.filter(({ seq }) => seq > newest);
  if (!Object.keys(functions).length && !revisions.length) return null;
  return { from: before.generation, to: after.generation, functions, revisions };
}

/** All that an entry is made from beside the function, which is another object where anything of it changed. */
interface Made {
  entry: RouteEntry;
  hosts: string[];
  options: RouteOptions;
  /** Index of the history's last entry that is as old as the oldest revision in reach; 0 where none is. */
  start: number;
  /** When a version goes out of reach, in milliseconds since 1970. */
  until: number;
}

const made = new WeakMap<RoutedFunction, Made>();

/** The entry as it was made last, if it would be the same: most functions do not change when one of them does. */
function entryOf(function_: RoutedFunction, hosts: string[], oldestSeq: number, options: RouteOptions): RouteEntry {
  const last = made.get(function_);
  const start = Math.max(
    0,
    function_.history.findLastIndex(({ seq }) => seq <= oldestSeq),
  );
  if (last && isAsMade(last, { hosts, options, start })) return last.entry;
  const entry = routeEntry(function_, hosts, oldestSeq, options);
  const ends = function_.versions.map((version) => reachableUntil(version, function_, options.previewRetention));
  const until = Math.min(...ends.filter((end) => end > options.now), Number.POSITIVE_INFINITY);
  made.set(function_, { entry, hosts, options, start, until });
  return entry;
}

function isAsMade(last: Made, { hosts, options, start }: Pick<Made, "hosts" | "options" | "start">): boolean {
  const { now, previewRetention, privateEgress } = options;
  return (
    now >= last.options.now &&
    now < last.until &&
    start === last.start &&
    previewRetention === last.options.previewRetention &&
    isEqualJson(privateEgress, last.options.privateEgress) &&
    isEqualJson(hosts, last.hosts)
  );
}

function routeEntry(function_: RoutedFunction, hosts: string[], oldestSeq: number, options: RouteOptions): RouteEntry {
  const { latest, split, aliases, state } = function_;
  const reachable = function_.versions.filter((version) => isReachable(version, function_, options));
  const previews = previewSpecs(function_, options);
  const versions = Object.fromEntries([
    ...reachable.map((version) => [version.id, specOf(version, function_, previews, options)] as const),
    ...previews.map(({ key, spec }) => [key, spec] as const),
  ]);
  // What a branch is comes before what another one was.
  const commits = Object.fromEntries([...previews].reverse().map(({ key, commit }) => [commit, key]));
  const blocked = state === "suspended" || state === "quarantined" ? { blocked: state } : {};
  return {
    latest,
    ...(split ? { split: [...split].sort((a, b) => (a.version < b.version ? -1 : 1)) } : {}),
    aliases: { ...aliases, ...Object.fromEntries(previews.flatMap(({ alias, key }) => (alias ? [[alias, key]] : []))) },
    ...(previews.length ? { commits } : {}),
    versions,
    history: shortHistory(function_, versions, oldestSeq),
    hosts,
    ...watchedOf(function_),
    ...(isOffBase(function_) ? { offBase: true as const } : {}),
    ...blocked,
  };
}

/** While a version is on trial, the one before it too: to be compared with, and to be there when it must serve again. */
function watchedOf({ latest, trial, versions }: RoutedFunction): Pick<RouteEntry, "watched"> {
  if (trial) return { watched: [trial.before, trial.version].sort() };
  const isWatched = latest !== null && versions.find(({ id }) => id === latest)?.isWatched === true;
  return isWatched ? { watched: [latest] } : {};
}

interface PreviewSpec {
  /** In `versions`; no version has such an id. */
  key: string;
  /** Where the alias is still the branch's. */
  alias: string | undefined;
  commit: string;
  spec: VersionSpec;
}

/** A version is loaded apart for each of its previews, since each has data of its own, also where the version serves production. */
function previewSpecs(function_: RoutedFunction, options: RouteOptions): PreviewSpec[] {
  return function_.previews.flatMap((preview) => {
    const version = function_.versions.find(({ id }) => id === preview.version);
    if (!version) return [];
    const { id: previewId, label, isBranch, commit, endedAt } = preview;
    const key = endedAt === undefined ? `preview:${previewId}` : `preview:${previewId}:${commit}`;
    const alias = isBranch && function_.aliases[label] === version.id ? label : undefined;
    return [{ key, alias, commit, spec: previewSpec(version, preview, function_, options) }];
  });
}

function previewSpec(
  version: RoutedVersion,
  { id, databases, hasSecrets }: RoutedPreview,
  function_: RoutedFunction,
  options: RouteOptions,
): VersionSpec {
  const nothing = { ...version, databases: {}, deployed: false, isUpload: hasSecrets };
  const spec = versionSpec(nothing, { ...function_, latest: null, split: null, database: null }, options);
  return { ...spec, preview: id, databases: previewDatabases(databases) };
}

/** The address by id of what never served is that of its first preview. */
function specOf(
  version: RoutedVersion,
  function_: RoutedFunction,
  previews: PreviewSpec[],
  options: RouteOptions,
): VersionSpec {
  const first = hasServed(version, function_) ? undefined : previews.find(({ spec }) => spec.id === version.id);
  return first?.spec ?? versionSpec(version, function_, options);
}

/** What a person set, otherwise `workers_dev = false` of the version that serves. What only previews have is not there. */
function isOffBase({ latest, versions, settings, state, previews }: RoutedFunction): boolean {
  if (latest === null && state === "pending" && previews.length > 0) return true;
  if (settings.enabled !== undefined) return !settings.enabled;
  return versions.find((version) => version.id === latest)?.manifest.workersDev === false;
}

function serves(id: string, { latest, split }: Pick<RoutedFunction, "latest" | "split">): boolean {
  return id === latest || split?.some(({ version }) => version === id) === true;
}

/** What never did is a preview. */
export function hasServed(
  { id, deployed = false }: Pick<RoutedVersion, "id"> & Partial<Pick<RoutedVersion, "deployed">>,
  function_: Pick<RoutedFunction, "latest" | "split">,
): boolean {
  return deployed || serves(id, function_);
}

/** What serves and aliases always; others as long as PREVIEW_RETENTION says, unless the version wants no preview URLs. */
function isReachable(version: RoutedVersion, function_: RoutedFunction, options: RouteOptions): boolean {
  return options.now < reachableUntil(version, function_, options.previewRetention);
}

/** When its hosts close, in milliseconds since 1970; -Infinity: it has none. `retention`: as of the options. */
export function reachableUntil(version: RoutedVersion, function_: RoutedFunction, retention: number): number {
  const { id, manifest, replacedAt } = version;
  if (serves(id, function_) || Object.values(function_.aliases).includes(id)) return Number.POSITIVE_INFINITY;
  if (!(function_.settings.previews ?? manifest.previewUrls)) return Number.NEGATIVE_INFINITY;
  return replacedAt === null || retention === 0 ? Number.POSITIVE_INFINITY : replacedAt + retention;
}

/** The version as the runtime will know it once it is what `latest` serves; for what is loaded before the switch. */
export function specOfNext(
  version: LoadedVersion,
  owner: Pick<RoutedFunction, "id" | "account" | "name" | "generation" | "database">,
  options: RouteOptions,
): VersionSpec {
  return versionSpec(version, { ...owner, latest: version.id, split: null }, options);
}

type LoadedVersion = Pick<
  RoutedVersion,
  "id" | "artifact" | "manifest" | "entrypoints" | "secrets" | "databases" | "copies"
>;

function versionSpec(
  version: LoadedVersion & Partial<Pick<RoutedVersion, "deployed" | "isUpload">>,
  function_: Pick<RoutedFunction, "id" | "account" | "name" | "generation" | "database" | "latest" | "split">,
  options: RouteOptions,
): VersionSpec {
  const { compatibilityDate, compatibilityFlags, vars } = version.manifest;
  // What git built and never served is a preview: nobody has said yet that it may have what production has. An upload was
  // given its own secrets by whoever brought it.
  const isTrusted = hasServed(version, function_);
  const mayKnow = version.isUpload || isTrusted;
  const hasSecrets = mayKnow && Object.keys(version.secrets).length > 0;
  return {
    id: version.id,
    artifact: version.artifact.replace(/^sha256:/, ""),
    compatibilityDate,
    compatibilityFlags,
    vars,
    entrypoints: version.entrypoints,
    egress: egressOf(version, function_, options),
    generation: function_.generation,
    ...(hasSecrets ? { secrets: { owner: function_.id, values: version.secrets } } : {}),
    databases: databasesOf(version, function_, isTrusted),
  };
}

/** Private networks are for what serves production: a version that does not serve, a preview among them, gets the internet only. */
function egressOf(
  version: Pick<RoutedVersion, "id" | "manifest">,
  function_: Pick<RoutedFunction, "account" | "name" | "latest" | "split">,
  options: RouteOptions,
): VersionSpec["egress"] {
  if (version.manifest.egress === "none") return "none";
  const { account, name } = function_;
  const allowed = options.privateEgress.some((rule) => rule === `${account}/${name}` || rule === `${account}/*`);
  return allowed && serves(version.id, function_) ? "private" : "public";
}

/** Versions that are out of reach count as none, repetitions are left out, and of what lies before the oldest revision only the last entry stays. */
function shortHistory(
  function_: RoutedFunction,
  versions: Record<string, VersionSpec>,
  oldestSeq: number,
): RouteEntry["history"] {
  const history: RouteEntry["history"] = [];
  for (const { seq, version } of function_.history) {
    if (seq <= oldestSeq) history.length = 0;
    const reachable = version !== null && Object.hasOwn(versions, version) ? version : null;
    if ((history.at(-1)?.version ?? null) !== reachable) history.push({ seq, version: reachable });
  }
  return history;
}
