// What the API and the command line may ask of the platform. Reads the registry; changes only through it.
import { WrkstError } from "../errors.js";
import {
  type Deployment,
  type FunctionState,
  type FunctionStatus,
  type Hold,
  holdOfPin,
  type PassReport,
  type PlatformEvent,
  type PreviewEntry,
  type RevisionDiff,
  type RuntimeStatus,
  restingState,
  type SourceHistory,
  type SourceStatus,
  type StandingPin,
  type Status,
  type TrialStatus,
  type Version,
} from "../model.js";
import { countDrift, driftOf } from "../plan/drift.js";
import { servingDatabases } from "../route/index.js";
import type { FunctionRecord, NewEvent, Registry } from "../store/index.js";
import { wantedOf } from "./bind.js";
import { suspensionOf } from "./deploys/suspending.js";
import type { SyncOptions } from "./loop.js";
import type { FollowedSources } from "./sources/index.js";

export interface PlatformDeps {
  registry: Registry;
  publisher: { publish(): Promise<void> };
  runtime: { status(): RuntimeStatus };
  sources: () => Pick<FollowedSources, "statuses" | "sync" | "job" | "retryAt" | "looksAt" | "suspensionOf" | "diff">;
  urlOf(name: string): string;
  /** Of a function that has a version on trial, by the function's id. */
  trialOf?(functionId: string): TrialStatus | undefined;
  now(): number;
}

/** A sync that was asked for without waiting. */
export interface Job {
  id: string;
  source: string;
  state: "running" | "done";
  report?: PassReport;
  /** Of a commit that was asked for. */
  preview?: PreviewEntry;
}

export interface FunctionDetail extends FunctionStatus {
  folder: string | null;
  deployments: Deployment[];
  versions: Pick<Version, "id" | "artifact" | "size" | "entrypoints" | "createdAt">[];
}

export interface EventPage {
  events: PlatformEvent[];
  cursor: string | null;
  /** Ids of the oldest event that is kept and of the newest, whatever was asked for; 0 where there is none. */
  oldest: number;
  newest: number;
}

export class Platform {
  readonly #deps: PlatformDeps;
  /** Of functions with nothing beside their record. */
  readonly #plain = new WeakMap<FunctionRecord, FunctionStatus>();
  #isStarted = false;
  #published = false;

  constructor(deps: PlatformDeps) {
    this.#deps = deps;
  }

  async status(): Promise<Status> {
    const functions = await this.functions();
    return { sources: this.sources(), functions, drift: countDrift(functions), runtime: this.runtime() };
  }

  runtime(): RuntimeStatus {
    return this.#deps.runtime.status();
  }

  async functions(query: { source?: string; state?: FunctionState; account?: string } = {}): Promise<FunctionStatus[]> {
    const { registry } = this.#deps;
    const [latest, suspensions, pins] = [
      registry.latestHolds(),
      registry.suspensions(),
      registry.declaredPinsOfLatest(),
    ];
    const holds = { latest, suspensions, pins };
    return registry
      .functions()
      .filter((record) => query.source === undefined || record.source === query.source)
      .filter((record) => query.account === undefined || record.account === query.account)
      .map((record) => this.#statusOf(record, holds))
      .filter(({ state }) => query.state === undefined || state === query.state);
  }

  /** Account of a function, live or removed. */
  ownerOf(name: string): string | undefined {
    return this.#find(name)?.account;
  }

  async function(name: string): Promise<FunctionDetail | undefined> {
    const { registry } = this.#deps;
    const record = this.#find(name);
    if (!record) return undefined;
    const versions = registry.versions(record.id).map(({ id, artifact, size, entrypoints, createdAt }) => {
      return { id, artifact, size, entrypoints, createdAt };
    });
    const routed = registry.routeState().functions.find(({ id }) => id === record.id);
    const databases = routed ? servingDatabases(routed) : [];
    return {
      ...this.#statusOf(record),
      ...(databases.length ? { databases } : {}),
      ...{ deployments: registry.deployments(record.id), versions },
    };
  }

  /** Ascending from `after`, or the newest first. `cursor` continues where the page ended. */
  async events(query: {
    after?: number;
    before?: number;
    limit: number;
    kinds?: string[];
    function?: string;
    source?: string;
  }): Promise<EventPage> {
    const { registry } = this.#deps;
    const events = registry.events(query);
    const last = events.length === query.limit ? events.at(-1) : undefined;
    return { events, cursor: last ? String(last.id) : null, ...registry.eventIds() };
  }

  /** What happened last to the function that has the name now. */
  lastEvent(name: string): PlatformEvent | undefined {
    const record = this.#find(name);
    return record && this.#deps.registry.events({ functionId: record.id, limit: 1 })[0];
  }

  /** Declarations of the name that came second. */
  secondOf(name: string): FunctionStatus[] {
    const all = this.#deps.registry.functions();
    return all
      .filter((record) => record.name === name && record.state === "name-taken")
      .map((one) => this.#statusOf(one));
  }

  /** What a source did for a revision, or last, what it failed at, and what comes next. */
  history(source: string, revision?: string | null): SourceHistory {
    const { registry } = this.#deps;
    const sources = this.#deps.sources();
    const pass = revision ? registry.passOf(source, revision) : registry.lastPass(source);
    const [retryAt, looksAt] = [sources.retryAt(source), sources.looksAt(source)];
    const suspension = sources.suspensionOf(source);
    const error = this.sources().find(({ name }) => name === source)?.error;
    const [lastEvent] = registry.events({ source, limit: 1 });
    return {
      ...(pass ? { pass } : {}),
      ...(retryAt === undefined ? {} : { retryAt }),
      ...(looksAt === undefined ? {} : { looksAt }),
      ...(suspension ? { suspension } : {}),
      ...(error ? { error } : {}),
      ...(lastEvent ? { lastEvent } : {}),
    };
  }

  sources(): SourceStatus[] {
    return this.#deps.sources().statuses();
  }

  /** A pass of the source: its report, or at once the job that will have it. */
  sync(source: string, options: SyncOptions & { wait: boolean }): Promise<PassReport | Job> {
    return this.#deps.sources().sync(source, options);
  }

  /** What a branch, tag or commit would change. */
  diff(source: string, ref: string | undefined, signal: AbortSignal): Promise<RevisionDiff> {
    return this.#deps.sources().diff(source, ref, signal);
  }

  job(id: string): Job | undefined {
    return this.#deps.sources().job(id);
  }

  /** Brings a removed function back on the version that served last. */
  async restore(name: string, author: string): Promise<FunctionStatus> {
    const { registry } = this.#deps;
    registry.restoreFunction(name, author);
    this.#resolveDatabases(this.#expect(name));
    await this.#deps.publisher.publish();
    return this.#statusOf(this.#expect(name));
  }

  /** What its bindings stood for may be gone or another's since: found again, or made; what is refused stays as it was. */
  #resolveDatabases({ latest, split }: FunctionRecord): void {
    const { registry } = this.#deps;
    const ids = new Set([latest, ...(split ?? []).map(({ version }) => version)]);
    const versions = [...ids].flatMap((id) => (id === null ? [] : (registry.version(id) ?? [])));
    registry.databases.resolve(versions.map((version) => wantedOf(registry, version)));
  }

  /** Ends a quarantine by a person's word. */
  async release(name: string, author: string): Promise<FunctionStatus> {
    const record = this.#expect(name);
    if (record.state === "quarantined") {
      const hold = holdOnLatest(record.id, this.#holdsOf(record));
      await this.#setState(name, restingState(record.latest, record.split, hold));
      this.note({ kind: "function.released", ...of(record), message: `"${name}" was released by ${author}` });
    }
    return this.#statusOf(this.#expect(name));
  }

  /** Takes a function out of service until a new version or a person releases it. */
  async quarantine(name: string, reason: string): Promise<void> {
    const record = this.#deps.registry.functionByName(name);
    if (!record) return;
    const error = new WrkstError("ERR_RUNTIME", reason, {
      hint: `push a new version, or release it: wrkst resume ${name}`,
    });
    await this.#setState(name, "quarantined", error);
    this.note({ kind: "function.quarantined", ...of(record), message: reason });
  }

  note(event: NewEvent): void {
    this.#deps.registry.addEvent(event);
  }

  ready(): { ready: boolean; reasons: string[] } {
    const reasons = [
      ...(this.#isStarted ? [] : ["the first pass of every source is not done"]),
      ...(this.#published ? [] : ["the routes are not published"]),
      ...(this.#deps.runtime.status().state === "running" ? [] : ["the runtime does not run"]),
    ];
    return { ready: reasons.length === 0, reasons };
  }

  /** The runtime serves the routes for the first time. */
  markPublished(): void {
    this.#published = true;
  }

  /** Every source was looked at, or was waited for long enough. */
  markStarted(): void {
    this.#isStarted = true;
  }

  async #setState(name: string, state: FunctionState, error?: WrkstError): Promise<void> {
    const { registry, publisher } = this.#deps;
    const report = error && { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) };
    registry.setFunctionState(name, state, report);
    registry.bumpRouteGeneration();
    await publisher.publish();
  }

  #holdsOf({ id }: FunctionRecord): HoldsById {
    const { registry } = this.#deps;
    return {
      latest: single(id, registry.hold(id, "latest")),
      suspensions: single(id, registry.suspension(id)),
      pins: single(id, registry.declaredPin(id, "latest")),
    };
  }

  #find(name: string): FunctionRecord | undefined {
    const { registry } = this.#deps;
    return registry.functionByName(name) ?? registry.removedFunctions().find((removed) => removed.name === name);
  }

  #expect(name: string): FunctionRecord {
    const record = this.#deps.registry.functionByName(name);
    if (record) return record;
    throw new WrkstError("ERR_NOT_FOUND", `there is no function "${name}"`, { hint: "see: wrkst status" });
  }

  #statusOf(record: FunctionRecord, holds = this.#holdsOf(record)): FunctionStatus {
    const hold = holdOnLatest(record.id, holds);
    const suspended = holds.suspensions.get(record.id);
    const trial = this.#deps.trialOf?.(record.id);
    if (hold || suspended || trial) return this.#describe(record, { hold, suspended, trial });
    const known = this.#plain.get(record) ?? this.#describe(record);
    this.#plain.set(record, known);
    return known;
  }

  #describe(
    record: FunctionRecord,
    {
      hold,
      suspended,
      trial,
    }: Partial<Record<"hold" | "suspended", Hold | undefined>> & { trial?: TrialStatus | undefined } = {},
  ): FunctionStatus {
    const { name, account, source, folder, latest: version, split, revision, error, warnings } = record;
    const state = suspended && record.state !== "quarantined" ? "suspended" : record.state;
    const isBehind = record.declared !== null && record.declared !== version;
    const hosts = Object.keys(record.hosts).sort();
    const suspension = suspended && { suspension: suspensionOf(suspended) };
    const tried = trial ? { trial } : {};
    const drift = driftOf({
      state,
      source,
      ...tried,
      ...(hold ? { hold } : {}),
      ...suspension,
      ...(error ? { error } : {}),
    });
    return {
      ...{ name, account, source, folder, version, revision, state },
      url: this.#deps.urlOf(name),
      updatedAt: new Date(record.updatedAt).toISOString(),
      ...(hosts.length ? { hosts } : {}),
      ...(hold ? { hold } : {}),
      ...suspension,
      ...(drift ? { drift } : {}),
      ...(split ? { split } : {}),
      ...tried,
      ...(isBehind ? { declared: record.declared! } : {}),
      ...(error ? { error } : {}),
      ...(warnings.length ? { warnings } : {}),
    };
  }
}

interface HoldsById {
  latest: ReadonlyMap<string, Hold>;
  suspensions: ReadonlyMap<string, Hold>;
  /** Declared by repositories. */
  pins: ReadonlyMap<string, StandingPin>;
}

function single<T>(id: string, one: T | undefined): ReadonlyMap<string, T> {
  return new Map(one ? [[id, one]] : []);
}

/** A person's, or else the repository's. */
function holdOnLatest(id: string, { latest, pins }: HoldsById): Hold | undefined {
  const pin = pins.get(id);
  return latest.get(id) ?? (pin && holdOfPin(pin));
}

/** Whom an event belongs to. */
const of = ({ id: functionId, name, account }: FunctionRecord) => ({ function: name, functionId, account });
