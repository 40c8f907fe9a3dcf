// The one transaction of a pass: revision, versions, builds, functions, history, deployments, events and the generation of the
// routes change together or not at all, and are on disk when it returns.

import { type ErrorReport, WrkstError } from "../errors.js";
import {
  type Actor,
  type Deployment,
  type DeploymentCause,
  type FunctionState,
  formatRevision,
  type Hold,
  holdOfPin,
  holdsBack,
  type PassReport,
  type PlatformEvent,
  type Revision,
  restingState,
  type StandingPin,
  type TrafficSplit,
  type Version,
  type Warning,
} from "../model.js";
import type { Db } from "./database.js";
import type { BindingRows } from "./database-bindings.js";
import type { DeclaredPinRows, DeclaredPins } from "./declared-pins.js";
import { claimHosts } from "./direct.js";
import type { EventRows, Events, NewEvent } from "./events.js";
import type { FunctionRecord, FunctionRows } from "./functions.js";
import type { HoldRows, Holds } from "./holds.js";
import type { Own, OwnRows } from "./own.js";
import type { Settings } from "./settings.js";
import type { SourceRows, Sources } from "./sources.js";
import type { Approach, TrialRows, Trials } from "./trials.js";
import type { BuildRecord, VersionRows, Versions } from "./versions.js";

/** Account of what git declares. */
export const MAIN_ACCOUNT = "main";

export interface Switch {
  cause: DeploymentCause;
  author: string;
  /** Who asked by the API. */
  by?: Actor;
  /** Owner of what the source declares; default `main`. */
  account?: string;
  /** The revision that asks for it; absent for direct deploys and calls of the API. */
  revision?: Revision;
  /** What became of the revision; default `switched`. */
  result?: PassReport["result"];
  /** Functions that change in any way; the others stay as they are. */
  functions: FunctionChange[];
  versions?: NewVersion[];
  builds?: NewBuild[];
  events?: NewEvent[];
  /** Names of functions that others are about to make: what is reserved for them stays. */
  spares?: readonly string[];
  /** Source that is followed no longer: it is forgotten. */
  forgets?: string;
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
  /** Version that `latest` moves to, new or known, unless a person holds it; absent: it stays. */
  latest?: string;
  /** All pins that the repository declares now: `latest` and the other aliases move there instead. Absent: they stay. */
  pins?: Omit<StandingPin, "createdAt">[];
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
  sources: Sources & SourceRows;
  functions: FunctionRows;
  versions: Versions & VersionRows;
  holds: Holds & HoldRows;
  pins: DeclaredPins & DeclaredPinRows;
  own: Own & OwnRows;
  bindings: BindingRows;
  events: Events & EventRows;
  trials: Trials & TrialRows;
}

/**
 * Makes `applySwitch`. What a person holds stays where it is: the version that git gave is remembered beside it. It throws ERR_NAME_TAKEN when the name belongs to another account's function (also a removed one
 * that is not forgotten yet); nothing is changed then.
 */
export function createSwitch(deps: SwitchDeps): (wanted: Switch) => SwitchResult {
  const { db, now, newId, settings, sources, functions, versions, holds, pins, own, bindings, events, trials } = deps;
  const lastHistory = db.prepare<[string], { seq: number; version: string | null }>(
    "SELECT seq, version_id AS version FROM history WHERE function_id = ? ORDER BY seq DESC LIMIT 1",
  );
  const takenHosts = db
    .prepare<[], string>("SELECT hosts.key FROM functions, json_each(functions.hosts) hosts WHERE removed_at IS NULL")
    .pluck();
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
    const changed = touched.map(({ change, before }) => changeFunction(before, change, wanted.revision, at));
    if (wanted.revision) bindings.dropReserved(wanted.account ?? MAIN_ACCOUNT, wanted.spares ?? []);
    const moves = [...removed, ...changed];
    if (seq !== null) for (const move of moves) noteHistory(move, seq);
    const deployments = moves.filter(isMove).map((move) => {
      const { cause, author, by } = wanted;
      const deployment: Deployment = {
        id: newId(),
        function: move.name,
        at,
        cause,
        author,
        revision,
        from: move.from,
        to: move.to,
        ...(move.split ? { split: move.split } : {}),
        ...(by ? { credential: by.credential, address: by.address } : {}),
      };
      events.addDeployment(deployment, move.functionId);
      return deployment;
    });
    if (wanted.forgets !== undefined) sources.forgetSource(wanted.forgets);
    const noted = (wanted.events ?? []).map((event) => events.addEvent(event));
    return { seq, generation: settings.bumpRouteGeneration(), deployments, events: noted };
  }

  /** Takes the routes away. What has no version is forgotten at once, a declaration that came second too. */
  function removeFunction(change: FunctionChange, at: number): Move | undefined {
    const second = secondOf(change);
    if (second?.name === change.name) return void functions.forget(second.id);
    const owner = functions.owner(change.name);
    if (!owner || owner.removedAt !== null) return undefined;
    if (owner.latest === null && !versions.versions(owner.id).length) {
      bindings.removeOf(owner.id);
      return void functions.forget(owner.id);
    }
    pins.deletePins(owner.id);
    if (change.source !== null && isKept(owner.id)) {
      return void functions.save({ ...owner, withdrawn: true, updatedAt: at });
    }
    for (const { alias } of holds.holds(owner.id)) holds.deleteHold(owner.id, alias);
    const { error: _, ...kept } = owner;
    const gone = { split: null, declared: null, withdrawn: false, updatedAt: at, removedAt: at };
    functions.save({ ...kept, ...gone, state: "removed", hosts: {} });
    trials.settleTrial(owner, undefined);
    bindings.removeOf(owner.id);
    return { functionId: owner.id, name: owner.name, from: owner.latest, to: null, split: null, declared: null };
  }

  /** Git may declare it no longer: a person holds it. */
  function isKept(functionId: string): boolean {
    return holds.hold(functionId, "latest")?.kind === "pin" || holds.suspension(functionId) !== undefined;
  }

  /** The function's row, made when it is missing, so that versions can refer to it. `latest` is not touched. */
  function openFunction(change: FunctionChange, at: number): FunctionRecord {
    const second = secondOf(change);
    if (change.state === "name-taken") return second ?? createFunction(change, at);
    if (second) functions.forget(second.id);
    const owner = functions.owner(change.name);
    if (!owner) return createFunction(change, at);
    if (owner.account === (change.account ?? MAIN_ACCOUNT)) {
      if (owner.removedAt !== null) bindings.restoreOf(owner.id);
      return owner;
    }
    throw new WrkstError("ERR_NAME_TAKEN", `the name "${change.name}" belongs to a function of another account`, {
      hint: "give the function another name",
    });
  }

  function createFunction(change: FunctionChange, at: number): FunctionRecord {
    const { account = MAIN_ACCOUNT, name, source, folder, state } = change;
    const times = { createdAt: at, updatedAt: at, removedAt: null };
    const nothing = { latest: null, split: null, declared: null, withdrawn: false, revision: null };
    const empty = { warnings: [], hosts: {}, generation: 0, ...nothing };
    const isSecond = state === "name-taken";
    const id = (isSecond ? undefined : bindings.takeReserved(account, name)) ?? newId();
    const created = { id, account, name, source, folder, state, ...empty, ...times };
    functions.save(created);
    if (!isSecond) bindings.ensureOwn(created);
    return created;
  }

  function changeFunction(
    before: FunctionRecord,
    change: FunctionChange,
    revision: Revision | undefined,
    at: number,
  ): Move {
    const { source, folder, state, error, warnings = [] } = change;
    const { error: errorBefore, ...kept } = before;
    const live = before.removedAt === null;
    const isSuspended = source !== null && live && holds.suspension(before.id) !== undefined;
    const pin = settlePins(before, change, isSuspended, at);
    const isGiven = change.latest !== undefined || change.pins !== undefined;
    const given = isGiven ? (pin?.version ?? change.latest) : undefined;
    const hold = source === null ? undefined : isSuspended ? holds.hold(before.id, "latest") : holdAfter(before, given);
    const isHeld = given !== undefined && (isSuspended || holdsBack(hold, given));
    const moves = given !== undefined && !isHeld;
    const stays = { latest: live ? before.latest : null, split: before.split, trial: trials.trial(before.id) };
    const { latest, split, trial } = moves ? approachOf(before, given, pin !== undefined) : stays;
    const moved = latest !== before.latest || !live;
    const isBlocked = isHeld && before.state === "quarantined";
    const resting = isBlocked ? before.state : restingState(latest, split, hold ?? (pin && holdOfPin(pin)));
    const trouble = isBlocked ? errorBefore : error;
    const after: FunctionRecord = {
      ...kept,
      ...{ source, folder, warnings, latest, split, updatedAt: at, removedAt: null, withdrawn: false },
      state: state === "ready" ? resting : state,
      declared: source === null ? null : (change.latest ?? before.declared),
      generation: before.generation + (takeSecretsOver(before, change) ? 1 : 0),
      ...(trouble ? { error: trouble } : {}),
      ...(moved && latest !== null ? { revision: revisionOf(revision, pin), hosts: claimsOf(before, latest, at) } : {}),
    };
    functions.save(after);
    if (moves) trials.settleTrial(after, trial);
    const shown = change.latest ?? declaredBy(after);
    const declared = change.declared === undefined ? shown : change.declared;
    const divided = isSame(split, before.split) ? null : split;
    const ends = split === null && before.split !== null;
    const from = live ? before.latest : null;
    return { functionId: after.id, name: after.name, from, to: latest, split: divided, ends, declared };
  }

  /** What came back, was taken over from a person or hung the runtime is nothing to go back to; what is pinned is no trial. */
  function approachOf(before: FunctionRecord, version: string, isPinned: boolean): Approach {
    const { id, latest, source, state, removedAt, split } = before;
    const isComparable = removedAt === null && source !== null && state !== "quarantined" && !isPinned;
    if (!isComparable) return { latest: version, split: null, trial: undefined };
    return trials.approach(id, { latest, split }, version);
  }

  /** Answers the pin on `latest`. What a person holds stays, and so does all of what is suspended. */
  function settlePins(
    { id }: FunctionRecord,
    { source, pins: declared }: FunctionChange,
    isSuspended: boolean,
    at: number,
  ): StandingPin | undefined {
    if (source === null) return void pins.deletePins(id);
    if (declared !== undefined) {
      const before = pins.declaredPins(id);
      pins.savePins(id, source, declared, at);
      if (!isSuspended) moveAliases(id, before, declared);
    }
    return pins.declaredPin(id, "latest");
  }

  function moveAliases(
    functionId: string,
    before: StandingPin[],
    declared: Pick<StandingPin, "alias" | "version">[],
  ): void {
    const isFree = (alias: string) => alias !== "latest" && !holds.hold(functionId, alias);
    const led = new Map(versions.aliases(functionId).map(({ name, versionId }) => [name, versionId]));
    const kept = new Set(declared.map(({ alias }) => alias));
    for (const { alias, version } of before) {
      if (!kept.has(alias) && isFree(alias) && led.get(alias) === version) versions.deleteAlias(functionId, alias);
    }
    for (const { alias, version } of declared) {
      if (isFree(alias) && led.get(alias) !== version) versions.setAlias(functionId, alias, version);
    }
  }

  /** A rollback ends with the next version that is another than the one that was rejected. */
  function holdAfter(before: FunctionRecord, given: string | undefined): Hold | undefined {
    const hold = holds.hold(before.id, "latest");
    if (!hold || given === undefined || holdsBack(hold, given)) return hold;
    holds.deleteHold(before.id, "latest");
    const message = `the ${hold.kind} of "${before.name}" by ${hold.author} ended: version ${given.slice(0, 8)} is another than the one rejected`;
    events.addEvent({
      kind: "function.hold-ended",
      function: before.name,
      functionId: before.id,
      account: before.account,
      message,
    });
    return undefined;
  }

  /** What was deployed directly keeps its secrets when git takes it over. */
  function takeSecretsOver(before: FunctionRecord, { source, latest }: FunctionChange): boolean {
    if (before.source !== null || source === null || latest === undefined || before.latest === null) return false;
    const carried = versions.versionSecrets(before.latest);
    if (!Object.keys(carried).length || Object.keys(own.functionSecrets(before.id)).length) return false;
    own.saveFunctionSecrets(before.id, carried);
    return true;
  }

  function claimsOf(before: FunctionRecord, latest: string, at: number): Record<string, number> {
    const { id, hosts, removedAt } = before;
    const version = versions.version(latest);
    if (!version?.upload) return claimHosts(hosts, version?.manifest.hosts ?? [], at);
    return removedAt === null ? hosts : claimHosts({}, freeHosts(id), at);
  }

  /** What a removed function had asked for and nobody has taken since. */
  function freeHosts(functionId: string): string[] {
    const taken = new Set(takenHosts.all());
    return [...new Set(Object.values(own.functionAskedHosts(functionId)).flat())].filter((host) => !taken.has(host));
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
  /** How the traffic is divided from now on. */
  split: TrafficSplit | null;
  /** It was divided, and is no longer. */
  ends?: boolean;
  declared: string | null;
}

/** Of a pin, the commit that it names. */
function revisionOf(revision: Revision | undefined, pin: StandingPin | undefined): string | null {
  if (!revision) return null;
  return formatRevision(pin ? { ...revision, commit: pin.commit } : revision);
}

function isMove({ from, to, split, ends }: Move): boolean {
  return from !== to || split !== null || ends === true;
}

function isSame(a: TrafficSplit | null, b: TrafficSplit | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function declaredBy({ state, latest }: FunctionRecord): string | null {
  return state === "failed" || state === "name-taken" ? null : latest;
}
