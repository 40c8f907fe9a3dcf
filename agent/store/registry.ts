// The registry: one SQLite file with everything the platform must remember. All calls are synchronous, and what a call wrote is on disk when it returns.

import { randomUUID } from "node:crypto";
import { WrkstError } from "../errors.js";
import type { Actor, RouteState } from "../model.js";
import type { AccessRecords } from "../model-access.js";
import { createAccess } from "./access.js";
import { type CommitStatusRecords, createCommitStatuses } from "./commit-statuses.js";
import { type CopyRecords, createCopies } from "./copies.js";
import { closeDatabase, guarded, openDatabase } from "./database.js";
import { createDatabaseRows, createDatabases, type DatabaseRecords } from "./databases.js";
import { createDeclaredPins, type DeclaredPins } from "./declared-pins.js";
import { createDeliveries, type DeliveryRecords } from "./deliveries.js";
import { createDirect, type DirectChange, type DirectResult } from "./direct.js";
import { createEvents, type Events } from "./events.js";
import { createFunctions, type Functions } from "./functions.js";
import { createGarbage, type Garbage, KEPT_DEPLOYMENTS } from "./garbage.js";
import { createHolds, type Holds } from "./holds.js";
import { createWrites, type WriteRecords } from "./kept-writes.js";
import { createNotifications, type NotificationRecords } from "./notifications.js";
import { createOwn, type Own } from "./own.js";
import { createPasses, type Passes } from "./passes.js";
import { createPreviews, type PreviewRecords } from "./previews.js";
import { createRouteState } from "./route-state.js";
import { createSettings, type Settings } from "./settings.js";
import { createSnapshots, type SnapshotRecords } from "./snapshots.js";
import { createSources, type Sources } from "./sources.js";
import { createSwitch, type Switch, type SwitchResult } from "./switch.js";
import { createTrials, type Trials } from "./trials.js";
import { createVersions, type Versions } from "./versions.js";

export interface RegistryOptions {
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Ids of functions and deployments; default: random UUIDs. */
  newId?: () => string;
  maxEvents?: number;
}

/** Failures of disk and file are ERR_STORE. */
export interface Registry
  extends Settings,
    Sources,
    Functions,
    Versions,
    Holds,
    DeclaredPins,
    Own,
    Events,
    Passes,
    Trials {
  /** People and their credentials. */
  readonly access: AccessRecords;
  /** Writes that carried an `Idempotency-Key`. */
  readonly writes: WriteRecords;
  /** Webhooks that were handled. */
  readonly deliveries: DeliveryRecords;
  readonly databases: DatabaseRecords;
  /** What versions that never served have instead of databases. */
  readonly copies: CopyRecords;
  /** What forges are told of commits. */
  readonly commitStatuses: CommitStatusRecords;
  /** Who is told what happens. */
  readonly notifications: NotificationRecords;
  /** Previews of branches and commits. */
  readonly previews: PreviewRecords;
  /** Copies of databases, and the migrations that versions came with. */
  readonly snapshots: SnapshotRecords;
  /** Records a pass, or a direct deploy, in one transaction. See `Switch`. */
  applySwitch(wanted: Switch): SwitchResult;
  /** Records what a person does to one function, in one transaction. See `DirectChange`. */
  applyDirect(change: DirectChange): DirectResult;
  /** What the route table is made from. Functions that did not change are the same objects as in the last answer. */
  routeState(): RouteState;
  /**
   * Brings a removed function back on the version that served last. No source declares it then.
   * Throws ERR_NOT_FOUND where no function of that name was removed.
   */
  restoreFunction(name: string, author: string, by?: Actor): SwitchResult;
  /** Forgets what is older than the retention and not referred to. Both in milliseconds. Must not run beside a pass. */
  removeExpired(now: number, retention: number): Garbage;
  close(): void;
}

/** Opens or creates the registry. Throws ERR_STORE for a file that is damaged, or newer than this program; it is never deleted. */
export function openRegistry(file: string, options: RegistryOptions = {}): Registry {
  const { now = Date.now, newId = randomUUID, maxEvents } = options;
  const db = openDatabase(file);
  const settings = createSettings(db);
  const { recordRevision, forgetSource, ...sources } = createSources(db, now);
  const { owner, byId, second, save, forget, ...functions } = createFunctions(db, now);
  const { addVersion, saveBuild, forgetBuilds, ...versions } = createVersions(db, now);
  const { queue, ...notifications } = createNotifications(db, now);
  const { addDeployment, ...events } = createEvents(db, now, { maxEvents, queue });
  const { saveHold, deleteHold, ...holds } = createHolds(db, now);
  const { approach, settleTrial, ...trials } = createTrials({ db, now, settings, versions, events });
  const { savePins, deletePins, ...declaredPins } = createDeclaredPins(db);
  const { saveFunctionSettings, saveFunctionSecrets, countUpload, ...own } = createOwn(db);
  const databaseRows = createDatabaseRows({ db, now, newId });
  const databases = createDatabases({
    ...{ db, now, newId, settings },
    rows: databaseRows,
    functions: { owner, byId },
    events,
  });
  const rows = {
    ...{ db, now, newId, settings },
    bindings: databases.bindings,
    sources: { ...sources, recordRevision, forgetSource },
    functions: { owner, byId, second, save, forget },
    versions: { ...versions, addVersion, saveBuild, forgetBuilds },
    holds: { ...holds, saveHold, deleteHold },
    pins: { ...declaredPins, savePins, deletePins },
    own: { ...own, saveFunctionSettings, saveFunctionSecrets, countUpload },
    events: { ...events, addDeployment },
    trials: { ...trials, approach, settleTrial },
  };
  const applySwitch = createSwitch(rows);

  function restoreFunction(name: string, author: string, by?: Actor): SwitchResult {
    const found = owner(name);
    const latest = found && (found.latest ?? lastServed(found.id));
    if (!latest || found.removedAt === null) {
      throw new WrkstError("ERR_NOT_FOUND", `there is no removed function "${name}"`);
    }
    const { account } = found;
    return applySwitch({
      cause: "restore",
      author,
      ...(by ? { by } : {}),
      functions: [{ account, name, source: null, folder: null, state: "ready", latest }],
      events: [
        {
          ...{ kind: "function.restored", function: name, functionId: found.id, account },
          ...{ message: `"${name}" was restored`, ...(by ? { actor: by } : {}) },
        },
      ],
    });
  }

  /** A function that came back broken after a removal, and was removed again, has no latest of its own. */
  function lastServed(functionId: string): string | undefined {
    return events.deployments(functionId, KEPT_DEPLOYMENTS).find(({ from }) => from !== null)?.from ?? undefined;
  }

  const registry: Omit<
    Registry,
    | "access"
    | "writes"
    | "deliveries"
    | "databases"
    | "copies"
    | "commitStatuses"
    | "notifications"
    | "previews"
    | "snapshots"
  > = {
    ...settings,
    ...sources,
    ...functions,
    ...versions,
    ...holds,
    ...declaredPins,
    ...own,
    ...events,
    ...createPasses(db),
    ...trials,
    applySwitch,
    applyDirect: createDirect(rows),
    routeState: createRouteState(db, settings, sources),
    restoreFunction,
    removeExpired: createGarbage(db, forgetBuilds),
    close: () => closeDatabase(db),
  };
  return {
    ...wordingErrors(file, registry),
    access: wordingErrors(file, createAccess(db)),
    writes: wordingErrors(file, createWrites(db, now)),
    deliveries: wordingErrors(file, createDeliveries(db, now)),
    databases: wordingErrors(file, databases.records),
    copies: wordingErrors(file, createCopies({ db, now, newId, settings })),
    commitStatuses: wordingErrors(file, createCommitStatuses(db, now)),
    notifications: wordingErrors(file, notifications),
    previews: wordingErrors(file, createPreviews({ ...rows, databases: databaseRows })),
    snapshots: wordingErrors(file, createSnapshots(db, now)),
  };
}

/** The same calls; what SQLite throws leaves them as a `WrkstError`. */
function wordingErrors<T extends object>(file: string, calls: T): T {
  const worded = Object.entries(calls).map(([name, call]) => [
    name,
    (...args: unknown[]) => guarded(file, () => call(...args)),
  ]);
  return Object.fromEntries(worded) as T;
}
