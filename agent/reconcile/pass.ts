// One pass: observe, plan, act, switch, report. Idempotent; what fails for one function stops no other one.
import { createHash } from "node:crypto";
import type { ErrorReport } from "../errors.js";
import type {
  Database,
  Declaration,
  FollowedTag,
  FunctionOutcome,
  Hold,
  PassReport,
  RefusedEntry,
  Revision,
  Signer,
  Snapshot,
  Version,
  Warning,
} from "../model.js";
import { formatRevision, shareAt } from "../model.js";
import {
  type Candidate,
  checkPruneLimit,
  dueRemovals,
  type KnownFunction,
  nameDeclared,
  nameTaken,
  type Plan,
  type PruneLimit,
  planRevision,
  type Step,
} from "../plan/plan.js";
import { readSurroundings } from "../plan/surroundings.js";
import type { Source } from "../source/follow.js";
import type { Rank } from "../source/slots.js";
import type { FunctionRecord, Registry } from "../store/index.js";
import { type Acting, act } from "./act.js";
import type { Pinning } from "./act-pins.js";
import { isKeptBack, keptTogether } from "./atomic.js";
import type { BuildDeps, Built } from "./build.js";
import { candidateOf } from "./candidate.js";
import type { Migrated, Migrating } from "./databases/index.js";
import { withdrawn } from "./databases/withdrawing.js";
import { startClock } from "./flow.js";
import type { KeptBuilds } from "./kept-builds.js";
import { OWN_AUTHOR, type PassRun } from "./loop.js";
import { outcomesOf, switchOf } from "./outcome.js";
import { createPinPlanning, isRepinned, lookAtPins, NO_PINS, type PinPlan, plannedHold, rememberPins } from "./pins.js";
import type { Verify } from "./verify.js";

export interface PassDeps extends BuildDeps {
  source: {
    readonly name: string;
    readonly branch: string;
    readonly path: string;
    fetch(options: { signal: AbortSignal; goal?: string; rank?: Rank }): Promise<{ commit: string; tag?: FollowedTag }>;
    snapshot(commit: string, branch?: string): Promise<Snapshot>;
    pinned: Source["pinned"];
    bringInPinned: Source["bringInPinned"];
  };
  /** Who signed a commit that is to be built; rejects with ERR_GIT_UNVERIFIED unless they may. Absent: anybody may. */
  verify?: Verify;
  /** `[env.<name>]` of the wrangler files. */
  environment: string | undefined;
  pruneLimit: PruneLimit;
  /** Commit that the platform filled the embedded repository with. */
  seed: string | undefined;
  registry: Registry;
  migrating: Migrating;
  declarations: { read(snapshot: Snapshot, options: { environment?: string }): Promise<Declaration[]> };
  checkout: {
    readonly dir: string;
    /** Entries that were seen to be refused when they were written. */
    readonly refused: ReadonlyMap<string, RefusedEntry>;
    sync(snapshot: Snapshot, signal: AbortSignal): Promise<unknown>;
  };
  /** Loads versions in the serving runtime and asks their health paths before they are routed: id → what went wrong. */
  prepare(versions: Version[], signal: AbortSignal): Promise<Map<string, ErrorReport>>;
  publisher: { publish(): Promise<void>; readonly inStep: boolean };
  /** Versions that earlier passes built and did not come to switch: a storm of pushes must not build them again each time. */
  kept: KeptBuilds;
  /** Why the platform refuses a declaration although its file is right, if so; with the function as it is, live or removed. */
  refuse(declaration: Declaration, record?: FunctionRecord): ErrorReport | undefined;
  urlOf(name: string): string;
  /** Functions that are built at a time. */
  concurrency: number;
  /** All functions of a revision switch, or none. */
  atomic?: boolean;
  /** Names that passes work on, by source: what is reserved for them is not another one's to drop. */
  underWay: Map<string, string[]>;
}

/** What became of one step before the switch. */
export type StepResult =
  | {
      kind: "switch";
      step: Step;
      version: Version;
      built?: Built;
      warnings: Warning[];
      created?: Database[];
      migrated?: Migrated[];
      /** All that the repository pins of the function; absent: nothing. */
      pins?: Pinning[];
    }
  | { kind: "keep"; step: Step; version: string }
  /** What is pinned may move although the newest version failed; absent: pins stay as they are. */
  | { kind: "fail"; step: Step; error: ErrorReport; pins?: Pinning[] };

/** The step fails; what the repository pins beside it stays good. */
export function failedStep(result: Extract<StepResult, { kind: "switch" }>, error: ErrorReport): StepResult {
  return { kind: "fail", step: result.step, error, ...(result.pins ? { pins: result.pins } : {}) };
}

/** What the pass saw: the plan, and the functions as they were. */
export interface Observed {
  revision: Revision;
  plan: Plan;
  known: KnownFunction[];
  /** Live and removed functions by name. */
  records: Map<string, FunctionRecord>;
  /** What keeps git from moving `latest`, by function id: holds of people. */
  holds: Map<string, Hold>;
  /** What the revision itself pins. */
  pins: PinPlan;
}

export async function runPass(deps: PassDeps, pass: PassRun): Promise<PassReport> {
  const { source, registry } = deps;
  const clock = startClock(deps.now);
  const goal = pass.goal === undefined ? {} : { goal: pass.goal };
  const asked = { signal: pass.signal, rank: rankOf(pass), ...goal };
  const fetched = await clock.measure("fetch", () => source.fetch(asked));
  const { commit } = fetched;
  const revision: Revision = { source: source.name, branch: fetched.tag?.name ?? source.branch, commit };
  const signedBy = await verified(deps, revision, fetched.tag, pass);
  const last = registry.lastRevision(source.name);
  const begin = { source: source.name, from: last ? formatRevision(last) : null, to: formatRevision(revision) };
  const handled = `handled.${source.name}`;
  const led = await clock.measure("fetch", () => lookAtPins(deps, pass.signal));
  if (!pass.force && registry.setting(handled) === handledKey(deps, revision, led)) {
    return { ...begin, result: "unchanged", functions: [], ...clock.stop() };
  }
  const snapshot = await source.snapshot(commit);
  const pins = createPinPlanning(deps, pass.signal);
  const observed = await clock.measure("plan", () => observe({ ...deps, pins }, revision, snapshot));
  deps.underWay.set(
    source.name,
    observed.plan.steps.map((step) => step.declaration.name),
  );
  announce(pass, observed, signedBy);
  if (!pass.prune) refuseMassRemoval(deps, observed);
  const acting = { deps, pass, snapshot, observed, told: new Set<Step>() };
  const results = await act(acting, clock);
  const { functions, key } = await clock.measure("switch", () => switchOver(acting, results));
  registry.setSetting(handled, key);
  rememberPins(deps, observed.pins.led);
  const result = verdictOf(functions);
  const times = clock.stop();
  if (result !== "unchanged") {
    const { cause, author } = pass;
    registry.savePass(source.name, { ...times, revision: begin.to, at: deps.now(), cause, author });
  }
  return { ...begin, result, functions, ...times, ...(signedBy ? { signedBy } : {}) };
}

/** Asked before anything of the revision is read: what serves goes on serving, also where it was let in by an older policy. */
async function verified(
  { verify }: PassDeps,
  revision: Revision,
  tag: FollowedTag | undefined,
  pass: PassRun,
): Promise<Signer | undefined> {
  try {
    return await verify?.(revision.commit, pass.signal, tag);
  } catch (error) {
    pass.signal.throwIfAborted();
    pass.observe({ kind: "refused", revision });
    throw error;
  }
}

/** Somebody waits for what a person or a forge asked for. */
function rankOf({ cause, author }: PassRun): Rank {
  return cause === "webhook" || author !== OWN_AUTHOR ? "asked" : "followed";
}

/** Equal keys: the same revision read in the same way, with the same holds, and its pins lead to the same commits. */
function handledKey(deps: PassDeps, { branch, commit }: Revision, led: PinPlan["led"]): string {
  const { path } = deps.source;
  const holds = [...deps.registry.holdsOnGit()]
    .map(([id, { kind, version, rejected }]) => [id, kind, version, rejected ?? ""].join(" "))
    .sort();
  return createHash("sha256")
    .update(JSON.stringify([branch, commit, path, deps.environment ?? "", deps.bundlerId, holds, [...led].sort()]))
    .digest("hex");
}

function readFunctions(registry: Registry): Pick<Observed, "records" | "holds"> {
  const records = new Map(registry.removedFunctions().map((record) => [record.name, record]));
  for (const record of registry.functions()) if (record.state !== "name-taken") records.set(record.name, record);
  return { records, holds: registry.holdsOnGit() };
}

/** What planning needs of a pass. */
export type Planning = Pick<
  PassDeps,
  "registry" | "environment" | "declarations" | "account" | "bundlerId" | "source" | "refuse"
> & {
  /** Leads the pins that declarations have to their commits; absent: they do not count. */
  pins?: ReturnType<typeof createPinPlanning>;
};

/** Reads the revision and plans it; changes nothing. */
export async function observe(deps: Planning, revision: Revision, snapshot: Snapshot): Promise<Observed> {
  const { registry, environment } = deps;
  const declarations = await deps.declarations.read(snapshot, environment === undefined ? {} : { environment });
  const { records, holds } = readFunctions(registry);
  const candidates = await Promise.all(
    declarations.map((declaration) => candidateOf(deps, snapshot, declaration, records.get(declaration.name))),
  );
  const pins = (await deps.pins?.(declarations, records)) ?? NO_PINS;
  for (const candidate of candidates) refuseWrongPins(candidate, pins);
  const surroundings = await readSurroundings(
    snapshot,
    candidates.flatMap((candidate) => candidate.pastBuilds),
  );
  const known = knownOf(registry, { records, holds, pins });
  const { account, bundlerId: bundler, source } = deps;
  const plan = planRevision({ source: source.name, account, bundler, candidates, known, surroundings });
  return { revision, plan, known, records, holds, pins };
}

function refuseWrongPins(candidate: Candidate, { planned }: PinPlan): void {
  const pins = planned.get(candidate.declaration.name);
  if (pins && "error" in pins) candidate.refused ??= pins.error;
}

/** What few functions have is read for all of them at once. */
function knownOf(registry: Registry, found: Pick<Observed, "records" | "holds" | "pins">): KnownFunction[] {
  const [waiting, trials, pinned] = [registry.waitingFunctions(), registry.trials(), registry.pinnedFunctions()];
  return [...found.records.values()].map((record) => {
    const { id, name, source, folder, account, latest, declared, withdrawn, removedAt } = record;
    const pins = found.pins.planned.get(name);
    const tried = trials.get(id)?.version;
    const hold = found.holds.get(id) ?? plannedHold(pins);
    const repinned = (pins !== undefined || pinned.has(id)) && isRepinned(registry, record, pins);
    const [waits, removed] = [waiting.has(id), removedAt !== null];
    return { name, source, folder, account, latest, tried, declared, hold, withdrawn, waits, repinned, removed };
  });
}

function announce(pass: PassRun, { revision, plan }: Observed, signedBy: Signer | undefined): void {
  const unchanged = plan.steps.filter((step) => step.kind === "keep").length;
  const changed = plan.steps.length - unchanged;
  const signature = signedBy ? { signedBy } : {};
  pass.observe({ kind: "planned", revision, changed, unchanged, removed: plan.removals.length, ...signature });
}

function refuseMassRemoval(deps: PassDeps, { plan, known }: Observed): void {
  const { registry, pruneLimit: limit, seed, source } = deps;
  const isSeed = seed !== undefined && registry.lastRevision(source.name)?.commit === seed;
  const error = checkPruneLimit(plan, known, { limit, source: source.name, isSeed });
  if (error) throw error;
}

/**
 * The switch: registry in one transaction, then the runtime in one step. Nothing pre-empts it. People may have moved, held or
 * made functions while the pass worked: what they are now counts, and nothing is awaited between that look and the record.
 */
async function switchOver(acting: Acting, built: StepResult[]): Promise<{ functions: FunctionOutcome[]; key: string }> {
  const { deps, pass } = acting;
  const observed = { ...acting.observed, ...readFunctions(deps.registry) };
  const own = built.map((result) => refuseTakenName(deps, observed, result));
  const keepsBack = deps.atomic === true && isKeptBack(own);
  const results = keepsBack ? keptTogether(own, observed.records) : own;
  const failedFolders = new Set(
    results.flatMap((result) => (result.kind === "fail" ? [result.step.declaration.folder] : [])),
  );
  const isOwn = (name: string) => observed.records.get(name)?.source === deps.source.name;
  const due = keepsBack ? [] : dueRemovals(observed.plan, observed.known, failedFolders);
  const removals = due.filter(isOwn);
  const outcomes = outcomesOf({ observed, results, removals, urlOf: deps.urlOf });
  const wanted = switchOf({
    observed,
    results,
    removals,
    outcomes,
    pass,
    bundler: deps.bundlerId,
    environment: deps.environment,
    account: deps.account,
    spares: [...deps.underWay].flatMap(([source, names]) => (source === deps.source.name ? [] : names)),
  });
  const last = deps.registry.lastRevision(deps.source.name);
  const moved = !keepsBack && (last === undefined || formatRevision(last) !== formatRevision(observed.revision));
  pass.commit();
  const changes = moved || wanted.functions.length > 0;
  // What is kept back whole does not serve, so it is not recorded as the revision that does.
  const { revision: _, ...failures } = wanted;
  if (changes) deps.registry.applySwitch(keepsBack ? failures : wanted);
  const told = tellWithdrawn(deps, observed, results, outcomes).map((outcome) => withShare(deps, observed, outcome));
  const key = handledKey(deps, observed.revision, observed.pins.led);
  if (changes || !deps.publisher.inStep) await deps.publisher.publish();
  deps.kept.clear();
  const toldNames = new Set([...acting.told].map((step) => step.declaration.name));
  for (const outcome of told) {
    if (!outcome.error || !toldNames.has(outcome.name)) pass.observe({ kind: "outcome", outcome });
  }
  return { functions: told, key };
}

/** Whose databases others lost by the switch: said with the owner's outcome, and to all by an event. */
function tellWithdrawn(
  { registry }: PassDeps,
  { records }: Observed,
  results: StepResult[],
  outcomes: FunctionOutcome[],
): FunctionOutcome[] {
  const lost = new Map<string, string[]>();
  for (const result of results) {
    const record = result.kind === "switch" ? records.get(result.version.function) : undefined;
    if (result.kind !== "switch" || !record || record.latest === null) continue;
    const serving = registry.functionById(record.id)?.latest;
    if (serving !== result.version.id || serving === record.latest) continue;
    const before = registry.version(record.latest)?.manifest;
    const messages = withdrawn(registry, record, { before, after: result.version.manifest });
    for (const message of messages) {
      const { id: functionId, account, name } = record;
      registry.addEvent({ kind: "database.withdrawn", function: name, functionId, account, message });
    }
    if (messages.length) lost.set(record.name, messages);
  }
  return outcomes.map((outcome) => {
    const warnings = (lost.get(outcome.name) ?? []).map((message) => ({ message }));
    return warnings.length ? { ...outcome, warnings: [...outcome.warnings, ...warnings] } : outcome;
  });
}

/** What was switched in and is on trial has, at first, perhaps not all of the traffic. */
function withShare({ registry }: PassDeps, { records }: Observed, outcome: FunctionOutcome): FunctionOutcome {
  const record = outcome.result === "updated" ? records.get(outcome.name) : undefined;
  const trial = record && registry.trial(record.id);
  if (!trial || trial.version !== outcome.version) return outcome;
  return { ...outcome, share: shareAt(trial.step, registry.version(trial.version)?.manifest.gradual) };
}

/** Somebody else has deployed a function of that name since the plan was made. */
function refuseTakenName(deps: PassDeps, { records }: Observed, result: StepResult): StepResult {
  const { name } = result.step.declaration;
  const record = records.get(name);
  if (result.kind === "fail" || !record) return result;
  const { account, source, removedAt } = record;
  if (account !== deps.account) return { kind: "fail", step: result.step, error: nameTaken(name) };
  const isFree = removedAt !== null || source === null || source === deps.source.name;
  return isFree ? result : { kind: "fail", step: result.step, error: nameDeclared(name, source) };
}

function verdictOf(outcomes: FunctionOutcome[]): PassReport["result"] {
  const isChange = ({ result, migrations }: FunctionOutcome) =>
    migrations !== undefined || !["unchanged", "failed", "held"].includes(result);
  if (outcomes.some(isChange)) return "switched";
  return outcomes.some(({ error }) => error) ? "failed" : "unchanged";
}
