// Decides what a revision changes: which functions are built, re-used, kept, failed or removed. Pure.

import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import { type BundleInputs, type Declaration, type Hold, holdsBack } from "../model.js";

/** A build that was made before and whose version still exists. */
export interface PastBuild {
  version: string;
  bundler: string;
  inputs: BundleInputs;
}

/** What the registry knows of a function that the source declares or declared. */
export interface KnownFunction {
  name: string;
  /** Source that declares it; null: deployed directly. */
  source: string | null;
  /** Folder that declared it last. */
  folder: string | null;
  account: string;
  /** Version that `latest` serves. */
  latest: string | null;
  /** Version that git gave last. */
  declared: string | null;
  /** A person's hold on `latest` that has not expired, or else the pin that the repository declares. */
  hold?: Hold | undefined;
  /** Version that is on trial; it serves as far as it may yet. */
  tried?: string | undefined;
  /** Git declares it no longer, and only the pin keeps it. */
  withdrawn: boolean;
  /** A hold kept migrations from being applied. */
  waits?: boolean;
  /** Something that the repository pins is not where it is to be. */
  repinned?: boolean;
  removed: boolean;
}

/** One declaration with all that is known of it. */
export interface Candidate {
  declaration: Declaration;
  /** Builds of this function from the very same folder (equal tree id and environment), newest first. */
  pastBuilds: PastBuild[];
  /** Why the platform refuses the declaration although the file is right (name taken, host refused). */
  refused?: ErrorReport;
}

/** What the revision has at the places that past builds looked at. */
export interface Surroundings {
  /** Blob id of a file, or undefined where there is none. */
  blobOf(path: string): string | undefined;
  /** Digest of the names in a folder, or undefined where there is none. */
  namesOf(folder: string): string | undefined;
}

export type Step =
  | { kind: "build"; declaration: Declaration }
  | { kind: "reuse"; declaration: Declaration; version: string }
  | { kind: "keep"; declaration: Declaration; version: string }
  | { kind: "fail"; declaration: Declaration; error: ErrorReport };

export interface Plan {
  /** One for each declared function, sorted by name. */
  steps: Step[];
  /** Names of functions that the source declared before and declares no longer, sorted. */
  removals: string[];
}

export interface PlanRequest {
  source: string;
  account: string;
  bundler: string;
  candidates: Candidate[];
  known: KnownFunction[];
  surroundings: Surroundings;
}

/** The plan of one revision. A function whose file is wrong keeps its name: it fails, it is not removed. */
export function planRevision(request: PlanRequest): Plan {
  const live = request.known.filter((entry) => !entry.removed);
  const byName = new Map(live.map((entry) => [entry.name, entry]));
  const own = live.filter((entry) => entry.source === request.source);
  const byFolder = new Map(own.map((entry) => [entry.folder, entry]));
  const steps = request.candidates
    .map((candidate) => withKnownName(candidate, byName, byFolder))
    .map((candidate) => stepOf(candidate, byName.get(candidate.declaration.name), request))
    .sort(
      (a, b) => compare(a.declaration.name, b.declaration.name) || compare(a.declaration.folder, b.declaration.folder),
    );
  const declared = new Set(steps.map((step) => step.declaration.name));
  const removals = own
    .filter((entry) => !declared.has(entry.name) && !(entry.withdrawn && entry.hold && entry.hold.kind !== "rollback"))
    .map((entry) => entry.name)
    .sort(compare);
  return { steps, removals };
}

/** A file that cannot be read may hide the name: then the function that the folder declared before is meant. */
function withKnownName(
  candidate: Candidate,
  byName: Map<string, KnownFunction>,
  byFolder: Map<string | null, KnownFunction>,
): Candidate {
  const { declaration } = candidate;
  const before = byFolder.get(declaration.folder);
  if (!declaration.error || !before || byName.get(declaration.name)?.folder === declaration.folder) return candidate;
  return { ...candidate, declaration: { ...declaration, name: before.name } };
}

/**
 * The removals that may happen now. A function whose folder now declares another name goes only when that one is ready:
 * a renaming that fails takes nothing down.
 */
export function dueRemovals(plan: Plan, known: KnownFunction[], failedFolders: ReadonlySet<string>): string[] {
  const folderOf = new Map(known.map((entry) => [entry.name, entry.folder]));
  return plan.removals.filter((name) => !failedFolders.has(folderOf.get(name) ?? "\0"));
}

function stepOf(candidate: Candidate, known: KnownFunction | undefined, request: PlanRequest): Step {
  const { declaration } = candidate;
  const error = declaration.error ?? candidate.refused ?? nameConflict(declaration.name, known, request);
  if (error) return { kind: "fail", declaration, error };
  const reusable = candidate.pastBuilds.find((build) => fits(build, declaration.folder, request));
  if (!reusable) return { kind: "build", declaration };
  const isThere = known?.source === request.source && isSettled(known, reusable.version);
  return { kind: isThere ? "keep" : "reuse", declaration, version: reusable.version };
}

/** Nothing is left to do for the version: it serves, or was given before and is held back. */
function isSettled(known: KnownFunction, version: string): boolean {
  const { latest, tried, declared, hold, withdrawn, waits, repinned } = known;
  if (withdrawn || repinned) return false;
  return holdsBack(hold, version) ? declared === version : (tried ?? latest) === version && !hold && !waits;
}

/** True when the folder lies where it lay, and the revision has the same files at every place outside that the build looked at. */
function fits(build: PastBuild, folder: string, { bundler, surroundings }: PlanRequest): boolean {
  if (build.bundler !== bundler || build.inputs.folder !== folder) return false;
  const { files, folders } = build.inputs;
  for (const path in files) if ((surroundings.blobOf(path) ?? ABSENT) !== files[path]) return false;
  for (const path in folders) if ((surroundings.namesOf(path) ?? ABSENT) !== folders[path]) return false;
  return true;
}

/** Stands in `BundleInputs` for a place where there was nothing. */
export const ABSENT = "";

function nameConflict(name: string, known: KnownFunction | undefined, request: PlanRequest): ErrorReport | undefined {
  if (!known) return undefined;
  if (known.account !== request.account) return nameTaken(name);
  return known.source === null || known.source === request.source ? undefined : nameDeclared(name, known.source);
}

/** Why a name that another source declares cannot be declared. */
export function nameDeclared(name: string, source: string): ErrorReport {
  const hint = 'remove it there first, or choose another "name" in the wrangler file';
  return reportOf(
    new WrkstError("ERR_NAME_TAKEN", `the name "${name}" is declared by the source "${source}" already`, { hint }),
  );
}

/** Why a name that is another account's cannot be declared. */
export function nameTaken(name: string): ErrorReport {
  const hint = 'choose another "name" in the wrangler file';
  return reportOf(new WrkstError("ERR_NAME_TAKEN", `the name "${name}" belongs to another account`, { hint }));
}

/** How much a pass may remove without a person's word: more than `share` of what is declared and more than `count` waits. */
export interface PruneLimit {
  /** 0–1. */
  share: number;
  count: number;
}

export interface PruneCheck {
  limit: PruneLimit;
  source: string;
  /** What serves is what the platform filled the repository with, and nothing of anybody's. */
  isSeed: boolean;
}

/**
 * The error when a plan removes more than the limit allows, or everything; undefined when it may proceed.
 * A revision that declares nothing at all while functions serve is always refused. What never served does not count. The
 * first functions of a person's own replace the examples without a word.
 */
export function checkPruneLimit(
  plan: Plan,
  known: KnownFunction[],
  { limit, source, isSeed }: PruneCheck,
): WrkstError | undefined {
  const live = known.filter((entry) => entry.source === source && !entry.removed && entry.latest !== null);
  const serving = live.length;
  const removed = live.filter((entry) => plan.removals.includes(entry.name)).length;
  if (removed === 0) return undefined;
  const declaresNothing = plan.steps.length === 0 && serving > 1;
  const beyond = !isSeed && removed > limit.count && removed > serving * limit.share;
  if (!declaresNothing && !beyond) return undefined;
  const named = source === "default" ? "" : ` ${source}`;
  return new WrkstError(
    "ERR_PRUNE_LIMIT",
    `the revision removes ${removed} of ${serving} functions: expected at most ${Math.round(limit.share * 100)} % (or ${limit.count}) in one pass`,
    { hint: `if this is meant, say so: wrkst sync${named} --prune --wait; otherwise push the folders again` },
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
