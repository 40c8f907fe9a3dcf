// What the route table is made from. Answers are kept per function and read again only where rows changed, which SQLite
// itself notes by triggers: no caller can forget to tell, and what is rolled back is not noted.

import { MAX_REVISIONS } from "../../runtime/wire.js";
import type {
  FunctionSettings,
  FunctionState,
  Manifest,
  RoutedFunction,
  RoutedPreview,
  RoutedVersion,
  RouteState,
  SealedSecrets,
  TrafficSplit,
} from "../model.js";
import { copyObject } from "./copies.js";
import type { Db } from "./database.js";
import { IS_SHARED, routedOf } from "./database-bindings.js";
import { fromJson } from "./json.js";
import { previewHolder } from "./previews.js";
import type { Settings } from "./settings.js";
import type { Sources } from "./sources.js";

/** Tables that an entry is made from, and which functions' entries a row is part of. `$` is the row. */
const WATCHED = {
  // What its serving version shares, others use.
  functions: `SELECT $.id AS id UNION SELECT b.function_id FROM databases d JOIN version_databases b ON b.database_id = d.id
    WHERE d.owner = $.id`,
  versions: "SELECT $.function_id AS id",
  aliases: "SELECT $.function_id AS id",
  holds: "SELECT $.function_id AS id",
  trials: "SELECT $.function_id AS id",
  history: "SELECT $.function_id AS id",
  deployments: "SELECT $.function_id AS id",
  databases: "SELECT $.owner AS id UNION SELECT function_id FROM version_databases WHERE database_id = $.id",
  database_shares: "SELECT $.function_id AS id",
  version_databases: "SELECT $.function_id AS id",
  version_copies: `SELECT $.function_id AS id
    UNION SELECT function_id FROM preview_functions WHERE 'preview:' || preview_id = $.version_id
    UNION SELECT function_id FROM preview_commits WHERE 'preview:' || preview_id = $.version_id`,
  previews: "SELECT function_id AS id FROM preview_functions WHERE preview_id = $.id",
  preview_functions: "SELECT $.function_id AS id",
  preview_commits: "SELECT $.function_id AS id",
};

/** How a column without values reads; most have none, and parsing it for every version would be felt. */
const NONE = "{}";

/** A function whose suspension does not take it out of service serves on in its own state. */
const STATE = `CASE WHEN f.state <> 'quarantined' AND EXISTS (SELECT 1 FROM holds h
  WHERE h.function_id = f.id AND h.alias = '*' AND h.offline = 1) THEN 'suspended' ELSE f.state END`;

type ById = Map<string, RoutedFunction>;

/** Makes `routeState`. Functions that did not change are the same objects in every answer; nobody may change them. */
export function createRouteState(db: Db, settings: Settings, sources: Sources): () => RouteState {
  watch(db);
  const takeStale = db.prepare<[], string>("DELETE FROM temp.stale_routes RETURNING function_id").pluck();
  const readAll = createReader(db, "");
  const readOne = createReader(db, "AND f.id = ?");
  let known: ById | undefined;

  function read(): RouteState {
    const kept = known;
    known = undefined;
    const stale = takeStale.all() as string[];
    known = kept && stale.length < kept.size / 4 ? refresh(kept, stale) : readAll();
    const functions = [...known.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const revisions = sources.revisions(MAX_REVISIONS).map(({ seq, commit }) => ({ seq, commit }));
    return { generation: settings.routeGeneration(), functions, revisions };
  }

  function refresh(functions: ById, stale: string[]): ById {
    for (const id of stale) {
      const again = readOne(id).get(id);
      if (again) functions.set(id, again);
      else functions.delete(id);
    }
    return functions;
  }

  const transaction = db.transaction(read);
  return () => transaction.deferred();
}

function watch(db: Db): void {
  const triggers = Object.entries(WATCHED).flatMap(([table, concerned]) =>
    ["INSERT", "UPDATE", "DELETE"].map((verb) => {
      const ids = concerned.replaceAll("$", verb === "DELETE" ? "old" : "new");
      // Not "INSERT OR IGNORE": the policy of the outer statement would win.
      return `CREATE TEMP TRIGGER stale_${table}_${verb} AFTER ${verb} ON main.${table} BEGIN
        INSERT INTO stale_routes SELECT id FROM (${ids}) WHERE id IS NOT NULL AND id NOT IN (SELECT function_id FROM stale_routes); END;`;
    }),
  );
  db.pragma("temp_store = MEMORY");
  db.exec(`CREATE TEMP TABLE stale_routes (function_id TEXT PRIMARY KEY) WITHOUT ROWID; ${triggers.join("\n")}`);
}

interface FunctionRow {
  id: string;
  account: string;
  name: string;
  state: FunctionState;
  latest: string | null;
  generation: number;
  hosts: string;
  split: string | null;
  /** Null where a source declares it. */
  settings: string | null;
  secrets: string;
  removed_at: number | null;
  tried: string | null;
  tried_before: string | null;
}

interface VersionRow {
  function_id: string;
  id: string;
  artifact: string;
  manifest: string;
  entrypoints: string;
  upload: string | null;
  secrets: string;
  replaced_at: number | null;
  deployed: number;
}

interface BoundRow {
  function_id: string;
  version_id: string;
  binding: string;
  id: string;
  name: string | null;
  epoch: number | null;
  removed_at: number | null;
  is_open: number;
}

interface PreviewRow {
  function_id: string;
  preview: string;
  label: string;
  branch: string | null;
  commit: string;
  version_id: string;
  bindings: string;
  secrets: number;
  ended_at: number | null;
}

/** Reads live functions, and those that only previews keep, if they fit the condition, in ten queries, whatever their number. */
function createReader(db: Db, condition: string): (...values: string[]) => ById {
  const isPreviewed =
    "f.id IN (SELECT function_id FROM preview_functions UNION SELECT function_id FROM preview_commits)";
  const live = `(f.removed_at IS NULL OR ${isPreviewed}) AND f.state <> 'name-taken' ${condition}`;
  const functions = db.prepare<string[], FunctionRow>(
    `SELECT f.id, f.account, f.name, ${STATE} AS state, f.latest, f.generation, f.hosts, f.split, f.secrets, f.removed_at,
       CASE WHEN f.source IS NULL THEN f.settings END AS settings, t.version_id AS tried, t.before_id AS tried_before
     FROM functions f LEFT JOIN trials t ON t.function_id = f.id WHERE ${live}`,
  );
  const versions = db.prepare<string[], VersionRow>(
    `SELECT v.function_id, v.id, v.artifact, v.manifest, v.entrypoints, v.upload, v.secrets,
       coalesce((SELECT max(at) FROM deployments WHERE from_version = v.id), v.preview_ended) AS replaced_at,
       EXISTS (SELECT 1 FROM deployments WHERE to_version = v.id) AS deployed
     FROM versions v JOIN functions f ON f.id = v.function_id WHERE ${live} ORDER BY v.function_id, v.created_at, v.id`,
  );
  const aliases = db.prepare<string[], { function_id: string; name: string; version_id: string }>(
    `SELECT a.function_id, a.name, a.version_id FROM aliases a JOIN functions f ON f.id = a.function_id WHERE ${live}`,
  );
  const history = db.prepare<string[], { function_id: string; seq: number; version: string | null }>(
    `SELECT h.function_id, h.seq, h.version_id AS version FROM history h JOIN functions f ON f.id = h.function_id
     WHERE ${live} ORDER BY h.function_id, h.seq`,
  );
  const own = db.prepare<string[], Omit<BoundRow, "version_id" | "binding" | "is_open">>(
    `SELECT d.owner AS function_id, d.id, d.name, d.epoch, d.removed_at FROM databases d JOIN functions f ON f.id = d.owner
     WHERE ${live} AND d.default_for = 'd1' AND d.removed_at IS NULL`,
  );
  const bound = db.prepare<string[], BoundRow>(
    `SELECT b.function_id, b.version_id, b.binding, b.database_id AS id, d.name, d.epoch, d.removed_at,
       d.owner IS NULL OR d.owner = f.id OR ${IS_SHARED} AS is_open
     FROM version_databases b JOIN functions f ON f.id = b.function_id LEFT JOIN databases d ON d.id = b.database_id
     WHERE ${live}`,
  );
  const copied = db.prepare<string[], { version_id: string; database_id: string; id: string }>(
    `SELECT c.version_id, c.database_id, c.id FROM version_copies c JOIN functions f ON f.id = c.function_id
     WHERE c.state = 'ready' AND ${live}`,
  );

  const previews = db.prepare<string[], PreviewRow>(
    `SELECT p.function_id, p.preview_id AS preview, o.label, o.branch, o."commit", p.version_id, p.bindings, p.secrets,
       NULL AS ended_at
     FROM preview_functions p JOIN previews o ON o.id = p.preview_id JOIN functions f ON f.id = p.function_id
     WHERE p.version_id IS NOT NULL AND ${live} ORDER BY o.created_at, o.id`,
  );
  const past = db.prepare<string[], PreviewRow>(
    `SELECT c.function_id, c.preview_id AS preview, c."commit" AS label, NULL AS branch, c."commit", c.version_id,
       c.bindings, c.secrets, c.ended_at
     FROM preview_commits c JOIN functions f ON f.id = c.function_id WHERE ${live} ORDER BY c.ended_at DESC, c."commit"`,
  );
  const copiedFor = db.prepare<[string], { database_id: string; id: string }>(
    "SELECT database_id, id FROM version_copies WHERE version_id = ? AND state = 'ready'",
  );

  return (...values) => {
    const byId: ById = new Map();
    const boundTo = new Map<string, RoutedVersion["databases"]>();
    for (const row of bound.all(...values)) {
      const databases = boundTo.get(row.version_id) ?? {};
      boundTo.set(row.version_id, databases);
      databases[row.binding] = routedOf(row, row.is_open === 1);
    }
    const copiesOf = new Map<string, RoutedVersion["copies"]>();
    for (const { version_id, database_id, id } of copied.all(...values)) {
      copiesOf.set(version_id, { ...copiesOf.get(version_id), [database_id]: copyObject(id) });
    }
    const secretsById = new Map<string, SealedSecrets>();
    const removed = new Set<string>();
    for (const { hosts, split, settings, secrets, removed_at, tried, tried_before: before, ...row } of functions.all(
      ...values,
    )) {
      if (removed_at !== null) removed.add(row.id);
      const own = { split: split === null ? null : fromJson<TrafficSplit>(split), settings: settingsOf(settings) };
      byId.set(row.id, {
        ...row,
        ...own,
        ...(tried === null || before === null ? {} : { trial: { version: tried, before } }),
        hosts: fromJson(hosts),
        database: null,
        aliases: {},
        previews: [],
        versions: [],
        history: [],
      });
      if (secrets !== NONE) secretsById.set(row.id, fromJson(secrets));
    }
    for (const row of versions.all(...values)) {
      const owner = byId.get(row.function_id);
      const version = versionOf(row, owner?.latest ?? null, secretsById.get(row.function_id), boundTo.get(row.id));
      owner?.versions.push({ ...version, copies: copiesOf.get(row.id) ?? {} });
    }
    for (const row of own.all(...values)) byId.get(row.function_id)!.database = routedOf(row, true);
    for (const { function_id, name, version_id } of aliases.all(...values)) {
      const owner = byId.get(function_id);
      if (owner) owner.aliases[name] = version_id;
    }
    for (const { function_id, ...entry } of history.all(...values)) byId.get(function_id)?.history.push(entry);
    const copiesFor = new Map<string, Map<string, string>>();
    for (const row of [...previews.all(...values), ...past.all(...values)]) {
      const holder = previewHolder(row.preview);
      const copies =
        copiesFor.get(holder) ?? new Map(copiedFor.all(holder).map((copy) => [copy.database_id, copyObject(copy.id)]));
      copiesFor.set(holder, copies);
      byId.get(row.function_id)?.previews.push(previewOf(row, copies));
    }
    for (const id of removed) byId.set(id, onlyPreviewed(byId.get(id)!));
    return byId;
  };
}

function previewOf(row: PreviewRow, copies: ReadonlyMap<string, string>): RoutedPreview {
  const { label, branch, commit, version_id: version, secrets } = row;
  const bindings = Object.entries(fromJson<Record<string, string>>(row.bindings));
  const databases = Object.fromEntries(bindings.map(([binding, key]) => [binding, copies.get(key) ?? null]));
  return {
    ...{ id: row.preview, label, isBranch: branch !== null, commit, version, databases, hasSecrets: secrets === 1 },
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
  };
}

/** A function that was removed and that a preview has still: nothing else of it can be reached. */
function onlyPreviewed(function_: RoutedFunction): RoutedFunction {
  const { previews, aliases: all } = function_;
  const aliases = Object.fromEntries(
    Object.entries(all).filter(([name, id]) => previews.some(({ label, version }) => label === name && version === id)),
  );
  const versions = function_.versions.filter(({ id }) => previews.some(({ version }) => version === id));
  const nothing = { latest: null, split: null, hosts: {}, database: null, history: [], settings: {} };
  return { ...function_, ...nothing, state: "pending", aliases, versions };
}

function settingsOf(json: string | null): RoutedFunction["settings"] {
  const { enabled, previews } = fromJson<Partial<FunctionSettings>>(json ?? NONE);
  return { ...(enabled === undefined ? {} : { enabled }), ...(previews === undefined ? {} : { previews }) };
}

/** An upload carries its own secrets, what git built has those of the function. */
function secretsOf({ upload, secrets }: VersionRow, ofFunction: SealedSecrets = {}): SealedSecrets {
  if (upload === null) return ofFunction;
  return secrets === NONE ? {} : fromJson(secrets);
}

/** Of the manifest only what routes need is kept: the answer stays in memory. */
function versionOf(
  row: VersionRow,
  latest: string | null,
  ofFunction: SealedSecrets | undefined,
  bound: RoutedVersion["databases"] = {},
): Omit<RoutedVersion, "copies"> {
  const manifest = fromJson<Manifest>(row.manifest);
  const { compatibilityDate, compatibilityFlags, vars, egress, previewUrls, workersDev } = manifest;
  return {
    id: row.id,
    artifact: row.artifact,
    manifest: { compatibilityDate, compatibilityFlags, vars, egress, previewUrls, workersDev },
    entrypoints: fromJson(row.entrypoints),
    secrets: secretsOf(row, ofFunction),
    databases: Object.fromEntries(manifest.d1Databases.map(({ binding }) => [binding, bound[binding] ?? null])),
    replacedAt: row.id === latest ? null : row.replaced_at,
    deployed: row.deployed === 1,
    isUpload: row.upload !== null,
    ...(manifest.autoRollback || manifest.gradual ? { isWatched: true } : {}),
  };
}
