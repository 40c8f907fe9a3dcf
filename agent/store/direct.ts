// The one transaction of what a person does to a function by hand: version, traffic, holds, aliases, secrets, settings, the
// deployment and the audit events change together or not at all, and are on disk when it returns.

import { WrkstError } from "../errors.js";
import {
  type Actor,
  type AskedHosts,
  type Database,
  type Deployment,
  type DeploymentCause,
  EVERY_ALIAS,
  type FunctionSettings,
  type FunctionState,
  formatRevision,
  type Hold,
  holdOfPin,
  restingState,
  type SealedSecrets,
  type TrafficSplit,
  type Trial,
} from "../model.js";
import type { Db } from "./database.js";
import type { BindingRows } from "./database-bindings.js";
import { type DeclaredPins, pinnedByRepository } from "./declared-pins.js";
import type { EventRows, Events, NewEvent } from "./events.js";
import { expectFunction, type FunctionRecord, type FunctionRows } from "./functions.js";
import type { HoldRows, Holds } from "./holds.js";
import type { Own, OwnRows } from "./own.js";
import type { Settings } from "./settings.js";
import type { NewVersion } from "./switch.js";
import type { TrialRows, Trials } from "./trials.js";
import type { VersionRows, Versions } from "./versions.js";

export interface DirectChange {
  account: string;
  name: string;
  /** Where no live function has the name: the id of the one that is made. A removed one of the account comes back instead. */
  create?: string;
  cause: DeploymentCause;
  by: Actor;
  /** Of the deployment. */
  message?: string;
  /** An uploaded version with the secrets that it carries; its number is given here. */
  version?: { version: NewVersion; secrets: SealedSecrets };
  /** Version that `latest` moves to; recorded as a deployment, also where it is there already. */
  latest?: string;
  /** With `latest`: how the traffic is divided. */
  split?: TrafficSplit;
  /** With `latest`, in place of `split`: the version is new, and has to stand its trial as it says. */
  isTried?: true;
  /** With `latest`: how the trial goes on; absent: there is none any more. */
  trial?: Trial;
  holds?: Omit<Hold, "author" | "createdAt">[];
  /** Aliases whose holds end. */
  releases?: string[];
  /** Other aliases than `latest`; null removes. */
  aliases?: Record<string, string | null>;
  /** Of the function, replacing all: its isolates are loaded afresh. */
  secrets?: SealedSecrets;
  settings?: Partial<FunctionSettings>;
  /** Custom hosts, replacing all. */
  hosts?: AskedHosts;
  /** What is wrong though the change is made: the function counts as failed. */
  error?: FunctionRecord["error"];
  events: Omit<NewEvent, "function" | "functionId" | "account" | "actor">[];
}

export interface DirectResult {
  functionId: string;
  deployment: Deployment | undefined;
  /** Databases that the version declares and that were not there: empty. */
  created: Database[];
}

export interface DirectDeps {
  db: Db;
  now: () => number;
  newId: () => string;
  settings: Settings;
  functions: FunctionRows;
  versions: Versions & VersionRows;
  holds: Holds & HoldRows;
  pins: DeclaredPins;
  own: Own & OwnRows;
  bindings: BindingRows;
  events: Events & EventRows;
  trials: Trials & TrialRows;
}

/** Makes `applyDirect`. Throws ERR_NOT_FOUND or ERR_NAME_TAKEN, nothing being changed then. */
export function createDirect(deps: DirectDeps): (change: DirectChange) => DirectResult {
  const { db, now, newId, settings, functions, versions, holds, pins, own, bindings, events, trials } = deps;

  function apply(wanted: DirectChange): DirectResult {
    const at = now();
    const before = openFunction(wanted, at);
    const functionId = before.id;
    if (isMoving(wanted)) refuseSuspended(before, holds.suspension(functionId));
    refusePinned(before, wanted);
    const created = wanted.version ? addVersion(wanted.version, before, wanted.by, at) : [];
    const change = approached(wanted, before);
    changeOwn(change, functionId, at);
    const after = functionAfter(before, change, at);
    functions.save(after);
    if (change.latest !== undefined) trials.settleTrial(after, change.trial);
    const deployment =
      change.latest === undefined && !change.secrets ? undefined : noteDeployment(before, after, change, at);
    for (const event of change.events)
      events.addEvent({ ...event, function: change.name, functionId, account: after.account, actor: change.by });
    settings.bumpRouteGeneration();
    return { functionId, deployment, created };
  }

  /** An alias that the repository holds is moved by hand only where a person's hold on it is made. */
  function refusePinned({ id, name }: FunctionRecord, { aliases = {}, holds: made = [] }: DirectChange): void {
    for (const [alias, version] of Object.entries(aliases)) {
      const pin = pins.declaredPin(id, alias);
      if (pin && pin.version !== version && !made.some((hold) => hold.alias === alias)) {
        throw pinnedByRepository(name, pin);
      }
    }
  }

  /** Of a person, or else of the repository. */
  function holdOnLatest(functionId: string): Hold | undefined {
    const pin = pins.declaredPin(functionId, "latest");
    return holds.hold(functionId, "latest") ?? (pin && holdOfPin(pin));
  }

  function openFunction({ account, name, create }: DirectChange, at: number): FunctionRecord {
    const owner = functions.owner(name);
    if (owner && owner.account !== account && create !== undefined) {
      throw new WrkstError("ERR_NAME_TAKEN", `the name "${name}" belongs to a function of another account`, {
        hint: "give the function another name",
      });
    }
    const own = owner?.account === account ? owner : undefined;
    if (own && own.removedAt === null) return own;
    if (create === undefined) return expectFunction(undefined, name);
    return own ? reviveFunction(own, at) : createFunction({ account, name, id: create }, at);
  }

  function reviveFunction(removed: FunctionRecord, at: number): FunctionRecord {
    const { error: _, ...kept } = removed;
    const empty = { latest: null, declared: null, revision: null, source: null, folder: null, warnings: [] };
    const revived: FunctionRecord = { ...kept, ...empty, state: "pending", updatedAt: at, removedAt: null };
    functions.save(revived);
    bindings.restoreOf(revived.id);
    return revived;
  }

  function createFunction(named: { account: string; name: string; id: string }, at: number): FunctionRecord {
    const created: FunctionRecord = {
      ...named,
      ...{ source: null, folder: null, state: "pending", warnings: [], hosts: {}, latest: null, split: null },
      ...{ declared: null, withdrawn: false, revision: null, generation: 0 },
      ...{ createdAt: at, updatedAt: at, removedAt: null },
    };
    functions.save(created);
    bindings.takeReserved(named.account, named.name);
    bindings.ensureOwn(created);
    return created;
  }

  function addVersion(
    { version, secrets }: NonNullable<DirectChange["version"]>,
    owner: FunctionRecord,
    by: Actor,
    at: number,
  ): Database[] {
    const { id: functionId } = owner;
    const { d1Databases: declared, share = [] } = version.manifest;
    const [bound] = bindings.resolve([{ function: owner, version: version.id, declared, share, isStrict: true, by }]);
    if (bound && "error" in bound) throw bound.error;
    const number = own.countUpload(functionId);
    const { upload, ...rest } = version;
    versions.addVersion({ ...rest, ...(upload ? { upload: { ...upload, number } } : {}) }, functionId, at, secrets);
    return bound?.created ?? [];
  }

  function changeOwn(change: DirectChange, functionId: string, at: number): void {
    for (const alias of change.releases ?? []) holds.deleteHold(functionId, alias);
    for (const hold of change.holds ?? []) {
      holds.saveHold(functionId, { ...hold, author: change.by.name, createdAt: at });
    }
    for (const [alias, version] of Object.entries(change.aliases ?? {})) {
      if (version === null) versions.deleteAlias(functionId, alias);
      else versions.setAlias(functionId, alias, version);
    }
    if (change.secrets) own.saveFunctionSecrets(functionId, change.secrets);
    if (change.hosts) own.saveFunctionAskedHosts(functionId, change.hosts);
    if (change.settings) {
      own.saveFunctionSettings(functionId, { ...own.functionSettings(functionId), ...change.settings });
    }
  }

  function functionAfter(before: FunctionRecord, change: DirectChange, at: number): FunctionRecord {
    const { error: _, ...kept } = before;
    const latest = change.latest ?? before.latest;
    const split = change.latest === undefined ? before.split : (change.split ?? null);
    const moved = change.latest !== undefined;
    const troubled = change.error ? { state: "failed" as const, error: change.error } : troubleOf(before, latest);
    const state: FunctionState = troubled?.state ?? restingState(latest, split, holdOnLatest(before.id));
    return {
      ...kept,
      ...(troubled?.error ? { error: troubled.error } : {}),
      ...{ state, latest, split, updatedAt: at, generation: before.generation + (change.secrets ? 1 : 0) },
      ...(moved && latest !== null ? { revision: revisionOf(latest), hosts: claimsOf(before, latest, at) } : {}),
      ...(change.hosts ? { hosts: claimHosts(before.hosts, Object.values(change.hosts).flat(), at) } : {}),
    };
  }

  /** A version that is to stand its trial gets the traffic as it says. */
  function approached(change: DirectChange, before: FunctionRecord): DirectChange {
    if (change.latest === undefined || !change.isTried || before.state === "quarantined") return change;
    if (pins.declaredPin(before.id, "latest")) return change;
    const { latest, split, trial } = trials.approach(before.id, before, change.latest);
    return { ...change, latest, ...(split ? { split } : {}), ...(trial ? { trial } : {}) };
  }

  function revisionOf(version: string): string | null {
    const first = versions.firstRevision(version);
    return first ? formatRevision(first) : null;
  }

  /** An upload claims no hosts by itself: they are set apart. */
  function claimsOf({ hosts }: FunctionRecord, latest: string, at: number): FunctionRecord["hosts"] {
    const version = versions.version(latest);
    return !version || version.upload ? hosts : claimHosts(hosts, version.manifest.hosts, at);
  }

  function noteDeployment(before: FunctionRecord, after: FunctionRecord, change: DirectChange, at: number): Deployment {
    const { cause, by, message, split } = change;
    const deployment: Deployment = {
      ...{ id: newId(), function: after.name, at, cause, author: by.name, revision: after.revision },
      ...{ from: before.latest, to: after.latest, credential: by.credential, address: by.address },
      ...(split ? { split } : {}),
      ...(message === undefined ? {} : { message }),
    };
    events.addDeployment(deployment, after.id);
    return deployment;
  }

  const transaction = db.transaction(apply);
  return (change) => transaction.immediate(change);
}

/** Whether callers would notice: traffic, names, secrets, hosts. Holds may be released meanwhile, versions uploaded. */
function isMoving({ latest, aliases, secrets, hosts, settings, releases }: DirectChange): boolean {
  if (releases?.includes(EVERY_ALIAS)) return false;
  return [latest, aliases, secrets, hosts, settings?.enabled, settings?.previews].some((part) => part !== undefined);
}

/** @throws WrkstError ERR_SUSPENDED */
export function refuseSuspended({ name }: Pick<FunctionRecord, "name">, suspension: Hold | undefined): void {
  if (!suspension) return;
  const why = suspension.reason === undefined ? "" : `: ${suspension.reason}`;
  throw new WrkstError("ERR_SUSPENDED", `"${name}" is suspended by ${suspension.author}${why}`, {
    hint: `let it move again: wrkst resume ${name}`,
  });
}

/** What a person's move does not end: that git's newest does not build, and, without another version, a quarantine. */
function troubleOf(before: FunctionRecord, latest: string | null): Pick<FunctionRecord, "state" | "error"> | undefined {
  const stays =
    (before.state === "failed" && before.source !== null) ||
    before.state === "suspended" ||
    (before.state === "quarantined" && before.latest === latest && !before.split);
  return stays ? before : undefined;
}

/** A claim that goes on keeps its date: the first to claim a host owns it. */
export function claimHosts(before: Record<string, number>, hosts: string[], at: number): Record<string, number> {
  return Object.fromEntries(hosts.map((host) => [host, before[host] ?? at]));
}
