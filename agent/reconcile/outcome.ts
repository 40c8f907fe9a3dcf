// From the results of the steps to what is reported and what is recorded. Pure.
import { type ErrorReport, formatError } from "../errors.js";
import {
  type Declaration,
  type FunctionOutcome,
  type Hold,
  holdOfPin,
  holdsBack,
  type PinOutcome,
  placeOf,
} from "../model.js";
import type { FunctionChange, FunctionRecord, NewBuild, NewEvent, Switch } from "../store/index.js";
import type { Pinning } from "./act-pins.js";
import type { Migrated } from "./databases/index.js";
import type { PassRequest } from "./loop.js";
import type { Observed, StepResult } from "./pass.js";

/** What is said of a function that failed, at the moment it fails and again in the report. */
export function failedOutcome(
  observed: Observed,
  declaration: Declaration,
  error: ErrorReport,
  url: string,
): FunctionOutcome {
  const { name, folder, warnings } = declaration;
  const isOwn = observed.records.get(name)?.source === observed.revision.source;
  const serving = isOwn ? servingVersion(observed, name) : null;
  const kept = serving === null ? {} : { version: serving };
  return { name, folder, result: "failed", error, warnings, url, ...kept };
}

function servingVersion(observed: Observed, name: string): string | null {
  const record = observed.records.get(name);
  return record && record.removedAt === null ? record.latest : null;
}

/** One outcome for each declared function, then one for each that is removed. */
export function outcomesOf(parts: {
  observed: Observed;
  results: StepResult[];
  removals: string[];
  urlOf(name: string): string;
}): FunctionOutcome[] {
  const { observed, removals, urlOf } = parts;
  const declared = parts.results.map((result): FunctionOutcome => {
    const { name, folder } = result.step.declaration;
    if (result.kind === "fail") {
      const failed = failedOutcome(observed, result.step.declaration, result.error, urlOf(name));
      const given = pinOnLatest(result.pins);
      const isMoved = given && !holdsBack(holdOf(observed, name), given.version);
      return { ...failed, ...(isMoved ? { version: given.version } : {}), ...movedPins(result.pins) };
    }
    const serving = servingVersion(observed, name);
    if (result.kind === "keep") {
      return { name, folder, result: "unchanged", version: result.version, url: urlOf(name), warnings: [] };
    }
    const { created } = result;
    const migrated = [...(result.pins ?? []), { result }].flatMap(({ result: one }) => one.migrated ?? []);
    const databases = created && { databases: created.map(({ id, name }) => ({ id, name })) };
    const made = {
      name,
      folder,
      version: result.version.id,
      url: urlOf(name),
      warnings: result.warnings,
      ...databases,
      ...(migrated.length ? { migrations: migrated.map(shownMigration) } : {}),
      ...movedPins(result.pins),
    };
    const pin = pinOnLatest(result.pins);
    const given = pin?.version ?? result.version.id;
    const held = holdOf(observed, name);
    const isMoving = !holdsBack(held, given) && standing(observed, name, pin !== undefined) !== given;
    if (isMoving) {
      return { ...made, version: given, result: serving === null ? wordForNew(observed.records.get(name)) : "updated" };
    }
    const hold = held && holdsBack(held, given) ? held : pin && holdOfPin({ ...pin, createdAt: 0 });
    if (!hold) return { ...made, result: "unchanged" };
    const isNew = observed.records.get(name)?.declared !== result.version.id;
    return { ...made, result: isNew ? "held" : "unchanged", hold };
  });
  const removed = removals.map((name): FunctionOutcome => {
    const folder = observed.records.get(name)?.folder ?? "";
    const hold = holdOf(observed, name);
    if (hold && hold.kind !== "rollback") return { name, folder, result: "held", hold, url: urlOf(name), warnings: [] };
    return { name, folder, result: "removed", warnings: [] };
  });
  return [...declared, ...removed];
}

function pinOnLatest(pins: Pinning[] | undefined): PinOutcome | undefined {
  const pin = pins?.find(({ alias }) => alias === "latest");
  return pin && pinOutcome(pin);
}

function movedPins(pins: Pinning[] = []): Pick<FunctionOutcome, "pins"> {
  const moved = pins.filter(({ isStanding }) => !isStanding);
  return moved.length ? { pins: moved.map(pinOutcome) } : {};
}

function pinOutcome({ alias, ref, commit, position, result }: Pinning): PinOutcome {
  return { alias, ref, commit, position, version: result.version.id };
}

/** `latest at 1a2b3c4d (v1.2.0), declared in functions/api/wrangler.toml:12`. */
export function describePin({ alias, version, ref, position }: PinOutcome): string {
  return `${alias} at ${version.slice(0, 8)} (${ref}), declared in ${placeOf(position)}`;
}

function shownMigration({ database, applied, snapshot }: Migrated) {
  return { database: database.name, applied, snapshot };
}

function holdOf({ records, holds }: Observed, name: string): Hold | undefined {
  const record = records.get(name);
  return record && record.removedAt === null ? holds.get(record.id) : undefined;
}

/** What serves all that it is to serve: a version on trial counts, but what is pinned takes all of the traffic. */
function standing(observed: Observed, name: string, isPinned: boolean): string | null {
  const serving = servingVersion(observed, name);
  if (!observed.records.get(name)?.split) return serving;
  return isPinned ? null : (observed.known.find((one) => one.name === name)?.tried ?? serving);
}

function wordForNew(record: { removedAt: number | null } | undefined): "created" | "restored" {
  return record && record.removedAt !== null ? "restored" : "created";
}

/** The one transaction that records the pass. */
export function switchOf(parts: {
  observed: Observed;
  results: StepResult[];
  removals: string[];
  outcomes: FunctionOutcome[];
  pass: PassRequest;
  bundler: string;
  environment: string | undefined;
  account: string;
  /** Names that passes of other sources work on. */
  spares: string[];
}): Switch {
  const { observed, results, removals, outcomes, pass, account, spares } = parts;
  const { source } = observed.revision;
  const seen = new Set<string>();
  const changes = results.flatMap((result) => changeOf({ observed, account, seen }, result) ?? []);
  const removed = removals.map((name): FunctionChange => {
    return { name, source, folder: observed.records.get(name)?.folder ?? null, state: "removed" };
  });
  const pinned = results.flatMap((result) => (result.kind === "keep" ? [] : (result.pins ?? [])));
  const switching = results.flatMap((result) => (result.kind === "switch" ? [result] : []));
  const built = [...pinned.map(({ result }) => result), ...switching].flatMap((result) => result.built ?? []);
  return {
    cause: pass.cause,
    author: pass.author,
    account,
    spares,
    revision: observed.revision,
    functions: [...changes, ...removed].map((change) => ({ account, ...change })),
    versions: built.map(({ version: { createdAt: _, ...version } }) => version),
    builds: built.map(({ version, treeId, inputs }): NewBuild => {
      const environment = parts.environment ?? "";
      return { function: version.function, environment, treeId, bundler: parts.bundler, inputs, versionId: version.id };
    }),
    events: outcomes.flatMap((outcome) => eventsOf(observed, outcome)).map((event) => ({ account, ...event })),
  };
}

/** What a person's hold kept from happening. */
export function describeHeld({ version, hold }: Pick<FunctionOutcome, "version" | "hold">): string {
  const what = version === undefined ? "git declares it no longer" : `version ${version.slice(0, 8)} was built`;
  if (hold?.declared) {
    return `${what}, held at ${hold.version.slice(0, 8)} (${hold.declared.ref}), declared in ${placeOf(hold.declared.position)}`;
  }
  const by = `held at ${hold?.version.slice(0, 8)} by a ${hold?.kind} of ${hold?.author}`;
  return `${what}, ${by}${hold?.reason ? ` (${hold.reason})` : ""}`;
}

/** How the function's record changes, or undefined when it stays as it is. */
function changeOf(
  { observed, account, seen }: { observed: Observed; account: string; seen: Set<string> },
  result: StepResult,
): FunctionChange | undefined {
  const { name, folder, warnings } = result.step.declaration;
  const record = observed.records.get(name);
  const live = record !== undefined && record.removedAt === null;
  const common = { name, source: observed.revision.source, folder };
  if (result.kind === "fail") {
    const taken = result.error.code === "ERR_NAME_TAKEN";
    const foreign = taken && (seen.has(name) || isAnothers(observed, record, { folder, account }));
    seen.add(name);
    const pins = foreign ? {} : pinsOf(result.pins);
    const isMoving = result.pins?.some(({ isStanding }) => !isStanding) ?? false;
    if (live && record.state === "quarantined" && !foreign && !isMoving) return undefined;
    if (live && !foreign && !isMoving && isKnownFailure(record, folder, result.error)) return undefined;
    return { ...common, state: foreign ? "name-taken" : "failed", error: result.error, warnings, ...pins };
  }
  seen.add(name);
  if (result.kind === "keep") {
    const same = live && record.folder === folder && record.state !== "failed";
    return same ? undefined : { ...common, state: "ready", warnings, latest: result.version };
  }
  return {
    ...common,
    ...{ state: "ready", warnings: result.warnings, latest: result.version.id },
    pins: result.pins?.map(pinOutcome) ?? [],
  };
}

function pinsOf(pins: Pinning[] | undefined): Pick<FunctionChange, "pins"> {
  return pins ? { pins: pins.map(pinOutcome) } : {};
}

/** The function of that name is another folder's, another source's or, though it was removed, another account's. */
function isAnothers(
  { revision }: Observed,
  record: FunctionRecord | undefined,
  own: { folder: string; account: string },
): boolean {
  if (!record || record.account !== own.account) return record !== undefined;
  return record.removedAt === null && (record.folder !== own.folder || record.source !== revision.source);
}

/** The same failure as before: a retry, nothing new to record. */
function isKnownFailure(record: FunctionRecord, folder: string, error: ErrorReport): boolean {
  const { state, error: before } = record;
  return state === "failed" && record.folder === folder && !!before && formatError(before) === formatError(error);
}

function eventsOf(observed: Observed, outcome: FunctionOutcome): NewEvent[] {
  const { source, branch, commit } = observed.revision;
  const pinned = (outcome.pins ?? []).map((pin): NewEvent => {
    const common = { source, function: outcome.name, revision: `${branch}@sha1:${commit}` };
    return { ...common, kind: "alias.pinned", message: `"${outcome.name}" is pinned, ${describePin(pin)}` };
  });
  const own = eventOf(observed, outcome);
  return own ? [own, ...pinned] : pinned;
}

function eventOf(observed: Observed, outcome: FunctionOutcome): NewEvent | undefined {
  const { source, branch, commit } = observed.revision;
  const common = { source, function: outcome.name, revision: `${branch}@sha1:${commit}` };
  if (outcome.error) {
    const record = observed.records.get(outcome.name);
    if (record && isKnownFailure(record, outcome.folder, outcome.error)) return undefined;
    return { ...common, kind: "function.failed", message: formatError(outcome.error), error: outcome.error };
  }
  if (outcome.result === "unchanged") return undefined;
  if (outcome.hold) return { ...common, kind: "function.held", message: `"${outcome.name}": ${describeHeld(outcome)}` };
  const version = outcome.version ? ` (version ${outcome.version.slice(0, 8)})` : "";
  return {
    ...common,
    kind: `function.${outcome.result}`,
    message: `"${outcome.name}" was ${outcome.result}${version}`,
  };
}
