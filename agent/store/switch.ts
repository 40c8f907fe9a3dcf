// The one transaction of a pass: revision, versions, builds, functions, history, deployments, events and the generation of the
// routes change together or not at all, and are on disk when it returns.

import { type ErrorReport, WrkstError } from "../errors.js";
import {
  type Deployment,
  type DeploymentCause,
  type FunctionState,
  formatRevision,
  type PassReport,
  type PlatformEvent,
  type Revision,
  type Version,
  type Warning,
} from "../model.js";
import type { Db } from "./database.js";
import type { EventRows, Events, NewEvent } from "./events.js";
import type { FunctionRecord, FunctionRows } from "./functions.js";
import type { Settings } from "./settings.js";
import type { Sources } from "./sources.js";
import type { BuildRecord, VersionRows, Versions } from "./versions.js";

/** Account of what git declares. */
export const MAIN_ACCOUNT = "main";

export interface Switch {
  cause: DeploymentCause;
  author: string;
  /** The revision that asks for it; absent for direct deploys and calls of the API. */
  revision?: Revision;
  /** What became of the revision; default `switched`. */
  result?: PassReport["result"];
  /** Functions that change in any way; the others stay as they are. */
  functions: FunctionChange[];
  versions?: NewVersion[];
  builds?: NewBuild[];
  events?: NewEvent[];
}

export interface FunctionChange {
  /** Default `main`. */
  account?: string;
  name: string;
  source: string | null;
  folder: string | null;
  /** `removed` takes the function away; `name-taken` notes a declaration whose name another function has. */
  state: FunctionState;
  error?: ErrorReport;
  warnings?: Warning[];
  /** Version that `latest` moves to, new or known; absent: it stays. */
  latest?: string;
  /**
   * Version that the revision gave the function, for hosts by commit; default: `latest` after the change, or null for
   * `failed`, `removed` and `name-taken`.
   */
  declared?: string | null;
}

/** `function` is the name. */
export type NewVersion = Omit<Version, "createdAt">;
export type NewBuild = Omit<BuildRecord, "functionId"> & { function: string };

export interface SwitchResult {
  /** Sequence number of the revision; null without one. */
  seq: number | null;
  /** Generation of the routes after the switch. */
  generation: number;
  deployments: Deployment[];
  events: PlatformEvent[];
}

export interface SwitchDeps {
  db: Db;
  now: () => number;
  newId: () => string;
  settings: Settings;
  sources: Sources;
  functions: FunctionRows;
  versions: Versions & VersionRows;
  events: Events & EventRows;
}

/**
 * Makes `applySwitch`. It throws ERR_NAME_TAKEN when the name belongs to another account's function (also a removed one
 * that is not forgotten yet); nothing is changed then.
 */
export function createSwitch(deps: SwitchDeps): (wanted: Switch) => SwitchResult {
  const { db, now, newId, settings, sources, functions, versions, events } = deps;
  const lastHistory = db.prepare<[string], { seq: number; version: string | null }>(
    "SELECT seq, version_id AS version FROM history WHERE function_id = ? ORDER BY seq DESC LIMIT 1",
  );
  const saveHistory = db.prepare("INSERT OR REPLACE INTO history (function_id, seq, version_id) VALUES (?, ?, ?)");

  function apply(wanted: Switch): SwitchResult {
    const at = now();
    const seq = wanted.revision ? sources.recordRevision(wanted.revision, at, wanted.result ?? "switched") : null;
    const removals = wanted.functions.filter((change) => change.state === "removed");
    const removed = removals.flatMap((change) => removeFunction(change, at) ?? []);
    const changes = wanted.functions.filter((change) => change.state !== "removed");
    const touched = changes.map((change) => ({ change, before: openFunction(change, at) }));
    for (const version of wanted.versions ?? []) versions.addVersion(version, idOf(version.function), at);
    for (const build of wanted.builds ?? []) {
      const { function: name, ...rest } = build;
      versions.saveBuild({ ...rest, functionId: idOf(name) }, at);
    }
    const revision = wanted.revision ? formatRevision(wanted.revision) : null;
    const changed = touched.map(({ change, before }) => changeFunction(before, change, revision, at));
    const moves = [...removed, ...changed];
    if (seq !== null) for (const move of moves) noteHistory(move, seq);
    const deployments = moves.filter(isMove).map((move) => {
      const { cause, author } = wanted;
      const deployment = {
        id: newId(),
        function: move.name,
        at,
        cause,
        author,
        revision,
        from: move.from,
        to: move.to,
      };
      events.addDeployment(deployment, move.functionId);
      return deployment;
    });
    const noted = (wanted.events ?? []).map((event) => events.addEvent(event));
    return { seq, generation: settings.bumpRouteGeneration(), deployments, events: noted };
  }

  /** Takes the routes away. What has no version is forgotten at once, a declaration that came second too. */
  function removeFunction(change: FunctionChange, at: number): Move | undefined {
    const second = secondOf(change);
    if (second?.name === change.name) return void functions.forget(second.id);
    const owner = functions.owner(change.name);
    if (!owner || owner.removedAt !== null) return undefined;
    if (owner.latest === null && !versions.versions(owner.id).length) return void functions.forget(owner.id);
    const { error: _, ...kept } = owner;
    functions.save({ ...kept, state: "removed", hosts: {}, updatedAt: at, removedAt: at });
    return { functionId: owner.id, name: owner.name, from: owner.latest, to: null, declared: null };
  }

  /** The function's row, made when it is missing, so that versions can refer to it. `latest` is not touched. */
  function openFunction(change: FunctionChange, at: number): FunctionRecord {
    const second = secondOf(change);
    if (change.state === "name-taken") return second ?? createFunction(change, at);
    if (second) functions.forget(second.id);
    const owner = functions.owner(change.name);
    if (!owner) return createFunction(change, at);
    if (owner.account === (change.account ?? MAIN_ACCOUNT)) return owner;
    throw new WrkstError("ERR_NAME_TAKEN", `the name "${change.name}" belongs to a function of another account`, {
      hint: "give the function another name",
    });
  }

  function createFunction(change: FunctionChange, at: number): FunctionRecord {
    const { account = MAIN_ACCOUNT, name, source, folder, state } = change;
    const times = { createdAt: at, updatedAt: at, removedAt: null };
    const empty = { warnings: [], hosts: {}, latest: null, revision: null, generation: 0 };
    const created = { id: newId(), account, name, source, folder, state, ...empty, ...times };
    functions.save(created);
    return created;
  }

  function changeFunction(before: FunctionRecord, change: FunctionChange, revision: string | null, at: number): Move {
    const { source, folder, state, error, warnings = [] } = change;
    const { error: _, ...kept } = before;
    const live = before.removedAt === null;
    const latest = change.latest ?? (live ? before.latest : null);
    const moved = latest !== before.latest || !live;
    const after: FunctionRecord = {
      ...kept,
      ...{ source, folder, state, warnings, latest, updatedAt: at, removedAt: null },
      ...(error ? { error } : {}),
      ...(moved && latest !== null ? { revision, hosts: claimHosts(before, latest, at) } : {}),
    };
    functions.save(after);
    const declared = change.declared === undefined ? declaredBy(after) : change.declared;
    return { functionId: after.id, name: after.name, from: live ? before.latest : null, to: latest, declared };
  }

  /** A claim that goes on keeps its date: the first to claim a host owns it. */
  function claimHosts(before: FunctionRecord, latest: string, at: number): Record<string, number> {
    const hosts = versions.version(latest)?.manifest.hosts ?? [];
    return Object.fromEntries(hosts.map((host) => [host, before.hosts[host] ?? at]));
  }

  function noteHistory({ functionId, declared }: Move, seq: number): void {
    const last = lastHistory.get(functionId);
    if ((last?.version ?? null) !== declared) saveHistory.run(functionId, seq, declared);
  }

  function secondOf({ source, folder }: FunctionChange): FunctionRecord | undefined {
    return source === null || folder === null ? undefined : functions.second(source, folder);
  }

  function idOf(name: string): string {
    const owner = functions.owner(name);
    if (!owner) throw new TypeError(`a version or build of "${name}", which is no function`);
    return owner.id;
  }

  const transaction = db.transaction(apply);
  return (wanted) => transaction.immediate(wanted);
}

interface Move {
  functionId: string;
  name: string;
  from: string | null;
  to: string | null;
  declared: string | null;
}

function isMove({ from, to }: Move): boolean {
  return from !== to;
}

function declaredBy({ state, latest }: FunctionRecord): string | null {
  return state === "failed" || state === "name-taken" ? null : latest;
}
