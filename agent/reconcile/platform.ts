// What the API and the command line may ask of the platform, and the state of its sources. Reads the registry; changes only through it.
import { randomUUID } from "node:crypto";
import { WrkstError } from "../errors.js";
import {
  type Deployment,
  type FunctionState,
  type FunctionStatus,
  formatRevision,
  type Hold,
  type PassReport,
  type PassSummary,
  type PlatformEvent,
  type RevisionDiff,
  type RuntimeStatus,
  restingState,
  type SourceStatus,
  type Status,
  type Version,
} from "../model.js";
import { countDrift, driftOf } from "../plan/drift.js";
import { servingDatabases } from "../route/index.js";
import type { FunctionRecord, NewEvent, Registry } from "../store/index.js";
import { suspensionOf } from "./deploys/suspending.js";
import type { Loop, SyncOptions } from "./loop.js";
import { signerOf } from "./verify.js";

export interface PlatformDeps {
  registry: Registry;
  publisher: { publish(): Promise<void> };
  runtime: { status(): RuntimeStatus };
  /** The one that the environment describes. */
  source: { name: string; repo: string; branch: string; path: string };
  loop: () => Loop;
  diff(ref: string | undefined, signal: AbortSignal): Promise<RevisionDiff>;
  urlOf(name: string): string;
  now(): number;
}

/** A sync that was asked for without waiting. */
export interface Job {
  id: string;
  source: string;
  state: "running" | "done";
  report?: PassReport;
}

export interface FunctionDetail extends FunctionStatus {
  folder: string | null;
  deployments: Deployment[];
  versions: Pick<Version, "id" | "artifact" | "size" | "entrypoints" | "createdAt">[];
}

const KEPT_JOBS = 200;

export class Platform {
  readonly #deps: PlatformDeps;
  readonly #jobs = new Map<string, Job>();
  #source: SourceStatus;
  #firstPass = false;
  #published = false;

  constructor(deps: PlatformDeps) {
    this.#deps = deps;
    const { name, repo, branch, path } = deps.source;
    const last = deps.registry.lastRevision(name);
    const revision = last ? formatRevision(last) : null;
    const signature = signatureOf(deps.registry, name, last);
    this.#source = { name, repo, branch, path, revision, ...signature, state: "pending", lastFetch: null };
  }

  async status(): Promise<Status> {
    const functions = await this.functions();
    const runtime = this.#deps.runtime.status();
    return { sources: [this.#source], functions, drift: countDrift(functions), runtime };
  }

  runtime(): RuntimeStatus {
    return this.#deps.runtime.status();
  }

  async functions(query: { source?: string; state?: FunctionState; account?: string } = {}): Promise<FunctionStatus[]> {
    const { registry } = this.#deps;
    const holds = { latest: registry.latestHolds(), suspensions: registry.suspensions() };
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
    kind?: string;
    function?: string;
  }): Promise<{ events: PlatformEvent[]; cursor: string | null }> {
    const { kind, ...rest } = query;
    const events = this.#deps.registry.events({ ...rest, ...(kind === undefined ? {} : { kinds: [kind] }) });
    const last = events.length === query.limit ? events.at(-1) : undefined;
    return { events, cursor: last ? String(last.id) : null };
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

  /** What a source did for a revision, or last, and when it tries again what failed. */
  history(
    source: string,
    revision?: string | null,
  ): { pass?: PassSummary; retryAt?: number; lastEvent?: PlatformEvent } {
    const { registry, loop } = this.#deps;
    const pass = revision ? registry.passOf(source, revision) : registry.lastPass(source);
    const { retryAt } = loop();
    const [lastEvent] = registry.events({ source, limit: 1 });
    return {
      ...(pass ? { pass } : {}),
      ...(retryAt === undefined ? {} : { retryAt }),
      ...(lastEvent ? { lastEvent } : {}),
    };
  }

  sources(): SourceStatus[] {
    return [this.#source];
  }

  source(name: string): SourceStatus {
    if (name === this.#source.name) return this.#source;
    throw new WrkstError("ERR_NOT_FOUND", `there is no source "${name}"`, {
      hint: `known: "${this.#source.name}"`,
    });
  }

  /** A pass of the source: its report, or at once the job that will have it. */
  async sync(source: string, options: SyncOptions & { wait: boolean }): Promise<PassReport | Job> {
    this.source(source);
    const { wait, ...rest } = options;
    const pass = this.#deps.loop().sync(rest);
    if (wait) return pass;
    const job: Job = { id: randomUUID(), source, state: "running" };
    this.#jobs.set(job.id, job);
    for (const id of this.#jobs.keys()) if (this.#jobs.size > KEPT_JOBS) this.#jobs.delete(id);
    void pass.then((report) => Object.assign(job, { state: "done", report })).catch(() => this.#jobs.delete(job.id));
    return job;
  }

  /** What a branch, tag or commit would change. */
  async diff(source: string, ref: string | undefined, signal: AbortSignal): Promise<RevisionDiff> {
    this.source(source);
    return this.#deps.diff(ref, signal);
  }

  job(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** Brings a removed function back on the version that served last. */
  async restore(name: string, author: string): Promise<FunctionStatus> {
    this.#deps.registry.restoreFunction(name, author);
    await this.#deps.publisher.publish();
    return this.#statusOf(this.#expect(name));
  }

  /** Ends a quarantine by a person's word. */
  async release(name: string, author: string): Promise<FunctionStatus> {
    const record = this.#expect(name);
    if (record.state === "quarantined") {
      const hold = this.#deps.registry.hold(record.id, "latest");
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

  /** Keeps the source's state by what a pass reported. */
  record(report: PassReport): void {
    if (report.result === "superseded") return;
    const { registry, now } = this.#deps;
    const { error } = report;
    const { error: before, signedBy: _, ...source } = this.#source;
    const isFetched = !error?.code.startsWith("ERR_GIT") || error.code === "ERR_GIT_UNVERIFIED";
    const fetched = isFetched ? new Date(now()).toISOString() : source.lastFetch;
    const state = this.#stateAfter(report);
    const last = registry.lastRevision(source.name);
    this.#source = {
      ...source,
      revision: last ? formatRevision(last) : null,
      ...signatureOf(registry, source.name, last),
      state,
      lastFetch: fetched,
      ...(error ? { error } : {}),
    };
    this.#firstPass = true;
    if (error && error.message !== before?.message) {
      this.note({ kind: "source.failed", source: source.name, message: error.message, error });
    }
    if (!error && before)
      this.note({ kind: "source.recovered", source: source.name, message: "the source is well again" });
  }

  ready(): { ready: boolean; reasons: string[] } {
    const reasons = [
      ...(this.#firstPass ? [] : ["the first pass is not done"]),
      ...(this.#published ? [] : ["the routes are not published"]),
      ...(this.#deps.runtime.status().state === "running" ? [] : ["the runtime does not run"]),
    ];
    return { ready: reasons.length === 0, reasons };
  }

  /** The runtime serves the routes for the first time. */
  markPublished(): void {
    this.#published = true;
  }

  async #setState(name: string, state: FunctionState, error?: WrkstError): Promise<void> {
    const { registry, publisher } = this.#deps;
    const report = error && { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) };
    registry.setFunctionState(name, state, report);
    registry.bumpRouteGeneration();
    await publisher.publish();
  }

  /** A source is as well as the functions that it declares; a pass without anything new says nothing of them. */
  #stateAfter({ error, functions }: PassReport): SourceStatus["state"] {
    if (error) return error.code === "ERR_GIT_NO_BRANCH" ? "empty" : "failed";
    if (functions.length > 0) return functions.some((outcome) => outcome.error) ? "failed" : "ready";
    const { state, error: before } = this.#source;
    return before || state === "pending" || state === "empty" ? this.#stateOfFunctions() : state;
  }

  #stateOfFunctions(): SourceStatus["state"] {
    const own = this.#deps.registry.functions().filter((record) => record.source === this.#source.name);
    return own.some(({ state }) => state === "failed" || state === "name-taken") ? "failed" : "ready";
  }

  #holdsOf({ id }: FunctionRecord): HoldsById {
    const { registry } = this.#deps;
    return { latest: single(id, registry.hold(id, "latest")), suspensions: single(id, registry.suspension(id)) };
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
    const { name, account, source, folder, latest: version, split, revision, error, warnings } = record;
    const hold = holds.latest.get(record.id);
    const suspended = holds.suspensions.get(record.id);
    const state = suspended && record.state !== "quarantined" ? "suspended" : record.state;
    const isBehind = record.declared !== null && record.declared !== version;
    const hosts = Object.keys(record.hosts).sort();
    const suspension = suspended && { suspension: suspensionOf(suspended) };
    const drift = driftOf({ state, source, ...(hold ? { hold } : {}), ...suspension, ...(error ? { error } : {}) });
    return {
      ...{ name, account, source, folder, version, revision, state },
      url: this.#deps.urlOf(name),
      updatedAt: new Date(record.updatedAt).toISOString(),
      ...(hosts.length ? { hosts } : {}),
      ...(hold ? { hold } : {}),
      ...suspension,
      ...(drift ? { drift } : {}),
      ...(split ? { split } : {}),
      ...(isBehind ? { declared: record.declared! } : {}),
      ...(error ? { error } : {}),
      ...(warnings.length ? { warnings } : {}),
    };
  }
}

interface HoldsById {
  latest: ReadonlyMap<string, Hold>;
  suspensions: ReadonlyMap<string, Hold>;
}

function single(id: string, hold: Hold | undefined): ReadonlyMap<string, Hold> {
  return new Map(hold ? [[id, hold]] : []);
}

function signatureOf(registry: Registry, source: string, serving: { commit: string } | undefined) {
  const signedBy = serving && signerOf(registry, source, serving.commit);
  return signedBy ? { signedBy } : {};
}

/** Whom an event belongs to. */
const of = ({ id: functionId, name, account }: FunctionRecord) => ({ function: name, functionId, account });
