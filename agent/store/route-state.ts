// Reads what the route table is made from: a handful of queries, whatever the number of functions.

import { MAX_REVISIONS } from "../../runtime/wire.js";
import type { FunctionState, Manifest, RoutedFunction, RoutedVersion, RouteState } from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";
import type { Settings } from "./settings.js";
import type { Sources } from "./sources.js";

export interface RouteStateQuery {
  /** Leaves out versions that were replaced before this time and that no alias names; default: leaves out none. */
  replacedAfter?: number;
}

interface FunctionRow {
  id: string;
  account: string;
  name: string;
  state: FunctionState;
  latest: string | null;
  generation: number;
  hosts: string;
}

interface VersionRow {
  id: string;
  function_id: string;
  replaced_at: number | null;
  deployed: number;
}

type VersionContent = Pick<RoutedVersion, "artifact" | "manifest" | "entrypoints">;

const LIVE = "f.removed_at IS NULL AND f.state <> 'name-taken'";

/** Makes `routeState`. Contents of versions never change, so those of the last answer are kept. */
export function createRouteState(
  db: Db,
  settings: Settings,
  sources: Sources,
): (query?: RouteStateQuery) => RouteState {
  const functions = db.prepare<[], FunctionRow>(
    `SELECT f.id, f.account, f.name, f.state, f.latest, f.generation, f.hosts FROM functions f
     WHERE ${LIVE} ORDER BY f.name`,
  );
  const versions = db.prepare<[number], VersionRow>(
    `SELECT * FROM (
       SELECT v.id, v.function_id, f.latest,
         (SELECT max(at) FROM deployments WHERE from_version = v.id) AS replaced_at,
         EXISTS (SELECT 1 FROM deployments WHERE to_version = v.id) AS deployed
       FROM versions v JOIN functions f ON f.id = v.function_id WHERE ${LIVE})
     WHERE replaced_at IS NULL OR replaced_at >= ? OR id = latest
       OR EXISTS (SELECT 1 FROM aliases WHERE version_id = id)`,
  );
  const content = db.prepare<[string], { artifact: string; manifest: string; entrypoints: string }>(
    "SELECT artifact, manifest, entrypoints FROM versions WHERE id = ?",
  );
  const aliases = db.prepare<[], { function_id: string; name: string; version_id: string }>(
    "SELECT function_id, name, version_id FROM aliases",
  );
  const history = db.prepare<[], { function_id: string; seq: number; version: string | null }>(
    `SELECT h.function_id, h.seq, h.version_id AS version FROM history h JOIN functions f ON f.id = h.function_id
     WHERE ${LIVE} ORDER BY h.function_id, h.seq`,
  );
  let known = new Map<string, VersionContent>();

  function contentOf(id: string): VersionContent {
    const cached = known.get(id);
    if (cached) return cached;
    const { artifact, manifest, entrypoints } = content.get(id)!;
    return { artifact, manifest: fromJson<Manifest>(manifest), entrypoints: fromJson<string[]>(entrypoints) };
  }

  function read(query: RouteStateQuery = {}): RouteState {
    const byId = new Map<string, RoutedFunction>();
    for (const { id, hosts, ...row } of functions.all()) {
      byId.set(id, { ...row, hosts: fromJson(hosts), aliases: {}, versions: [], history: [] });
    }
    const seen = new Map<string, VersionContent>();
    for (const row of versions.all(query.replacedAfter ?? 0)) {
      const owner = byId.get(row.function_id);
      if (!owner) continue;
      const contents = contentOf(row.id);
      seen.set(row.id, contents);
      const replacedAt = owner.latest === row.id ? null : row.replaced_at;
      owner.versions.push({ id: row.id, ...contents, replacedAt, deployed: row.deployed === 1 });
    }
    known = seen;
    for (const row of aliases.all()) {
      const owner = byId.get(row.function_id);
      if (owner) owner.aliases[row.name] = row.version_id;
    }
    for (const { function_id, ...entry } of history.all()) byId.get(function_id)?.history.push(entry);
    const revisions = sources.revisions(MAX_REVISIONS).map(({ seq, commit }) => ({ seq, commit }));
    return { generation: settings.routeGeneration(), functions: [...byId.values()], revisions };
  }

  const transaction = db.transaction(read);
  return (query) => transaction.deferred(query);
}
