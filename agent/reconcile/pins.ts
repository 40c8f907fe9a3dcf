// What the pins that a revision declares come to: each led to its commit, and the function planned as that commit declares it.
// Builds and moves nothing; what is wrong with a pin is the error of its function.
import { type ErrorReport, formatError, reportOf, WrkstError } from "../errors.js";
import { createDeclarationReader } from "../manifest/declarations.js";
import { NO_BRANCH } from "../manifest/pins.js";
import type { Declaration, DeclaredPin, Hold, Snapshot, StandingPin } from "../model.js";
import { planRevision, type Step } from "../plan/plan.js";
import { readSurroundings } from "../plan/surroundings.js";
import type { Pinned } from "../source/pinned.js";
import type { FunctionRecord, Registry } from "../store/index.js";
import { candidateOf } from "./candidate.js";
import { mapLimited } from "./flow.js";
import type { PassDeps, Planning } from "./pass.js";

/** A pin at its commit. */
export interface PlannedPin extends DeclaredPin {
  /** 40 hex. */
  commit: string;
  snapshot: Snapshot;
  /** Of the function as the commit declares it: `build` or `reuse`. */
  step: Step;
}

/** All pins of one function, or what is wrong with one of them. */
export type PlannedPins = { pins: PlannedPin[] } | { error: ErrorReport };

export interface PinPlan {
  /** By name; a function that declares none is not there. */
  planned: ReadonlyMap<string, PlannedPins>;
  /** What was read of the references that may come to lead elsewhere: name → commit, `""` for none. */
  led: ReadonlyMap<string, string>;
}

export const NO_PINS: PinPlan = { planned: new Map(), led: new Map() };

/** Commits that are brought in, read and planned at a time. */
const AT_ONCE = 4;

type PinDeps = Omit<Planning, "source" | "declarations" | "pins"> & Pick<PassDeps, "source" | "verify">;

export function createPinPlanning(deps: PinDeps, signal: AbortSignal) {
  return async (declarations: Declaration[], records: ReadonlyMap<string, FunctionRecord>): Promise<PinPlan> => {
    const declaring = declarations.filter(({ manifest, pins }) => manifest && pins?.length);
    if (!declaring.length) return NO_PINS;
    const refs = [...new Set(declaring.flatMap(({ pins = [] }) => pins.map(({ ref }) => ref)))];
    const found = await deps.source.pinned(refs, signal);
    const planned = await mapLimited(declaring, AT_ONCE, async (declaration) => {
      const record = records.get(declaration.name);
      const pins = await planPins(deps, { declaration, record, found, signal });
      return [declaration.name, pins] as const;
    });
    return { planned: new Map(planned), led: ledOf(found) };
  };
}

/** What the references of the last revision that was handled lead to now. Asks nothing where it declared none. */
export async function lookAtPins(deps: PassDeps, signal: AbortSignal): Promise<PinPlan["led"]> {
  const refs: string[] = JSON.parse(deps.registry.setting(settingOf(deps.source.name)) ?? "[]");
  return refs.length ? ledOf(await deps.source.pinned(refs, signal)) : new Map();
}

/** Remembers which references the revision that was handled names. */
export function rememberPins({ registry, source }: PassDeps, led: PinPlan["led"]): void {
  const setting = settingOf(source.name);
  if (led.size) registry.setSetting(setting, JSON.stringify([...led.keys()].sort()));
  else if (registry.setting(setting) !== undefined) registry.deleteSetting(setting);
}

function settingOf(source: string): string {
  return `pins.${source}`;
}

/** Digits of a commit lead to it for ever. */
function ledOf(found: ReadonlyMap<string, Pinned>): Map<string, string> {
  const moving = [...found].filter(([, { kind }]) => kind !== "commit" && kind !== "prefix");
  return new Map(moving.map(([ref, pinned]) => [ref, "commit" in pinned ? pinned.commit : ""]));
}

interface Planned {
  declaration: Declaration;
  record: FunctionRecord | undefined;
  found: ReadonlyMap<string, Pinned>;
  signal: AbortSignal;
}

async function planPins(deps: PinDeps, wanted: Planned): Promise<PlannedPins> {
  const pins: PlannedPin[] = [];
  for (const pin of wanted.declaration.pins ?? []) {
    try {
      const commit = await commitOf(deps, pin, wanted);
      const snapshot = await deps.source.snapshot(commit);
      pins.push({ ...pin, commit, snapshot, step: await stepAt(deps, pin, snapshot, wanted) });
    } catch (error) {
      wanted.signal.throwIfAborted();
      return { error: errorOfPin(pin, reportOf(error)) };
    }
  }
  return { pins };
}

/** Signed by somebody who may, as all that is built. */
async function commitOf(deps: PinDeps, pin: DeclaredPin, { record, found, signal }: Planned): Promise<string> {
  const pinned = found.get(pin.ref)!;
  const tag = pinned.kind === "tag" ? pinned.tag : undefined;
  const commit = await bringIn(deps, pin, { record, pinned, signal });
  await deps.verify?.(commit, signal, tag);
  return commit;
}

async function bringIn(
  { source, registry }: PinDeps,
  { alias, ref }: DeclaredPin,
  { record, pinned, signal }: { record: FunctionRecord | undefined; pinned: Pinned; signal: AbortSignal },
): Promise<string> {
  if (pinned.kind === "branch") {
    throw new WrkstError("ERR_MANIFEST", `"${ref}" is a branch: expected a tag or a commit`, { hint: NO_BRANCH });
  }
  if (pinned.kind === "missing") {
    const hint = `push it: git push <remote> ${ref}; a commit is named by 7 to 40 of its digits`;
    throw new WrkstError("ERR_MANIFEST", `"${ref}" is no tag of the repository`, { hint });
  }
  const before = record && pinned.kind === "prefix" ? registry.declaredPin(record.id, alias) : undefined;
  const known = before?.ref === ref ? ({ kind: "commit", commit: before.commit } as const) : pinned;
  try {
    return await source.bringInPinned(ref, known, signal);
  } catch (error) {
    if (!(error instanceof WrkstError) || error.code !== "ERR_NOT_FOUND") throw error;
    throw new WrkstError("ERR_MANIFEST", error.message, { hint: "name the commit by its 40 digits, and push it" });
  }
}

async function stepAt(
  deps: PinDeps,
  pin: DeclaredPin,
  snapshot: Snapshot,
  { declaration: { name, folder }, record }: Planned,
): Promise<Step> {
  const declaration = await declarationAt(deps, snapshot, { name, folder });
  if (!declaration) throw new WrkstError("ERR_MANIFEST", `there was no function "${name}" at "${pin.ref}"`);
  const candidate = await candidateOf(deps, snapshot, declaration, record);
  const step = await planOne(deps, snapshot, candidate);
  if (step.kind !== "fail") return step;
  const { code, hint } = step.error;
  throw new WrkstError(code, formatError(step.error), { hint });
}

async function planOne(
  { source, account, bundlerId: bundler }: PinDeps,
  snapshot: Snapshot,
  candidate: Awaited<ReturnType<typeof candidateOf>>,
): Promise<Step> {
  const surroundings = await readSurroundings(snapshot, candidate.pastBuilds);
  const request = { source: source.name, account, bundler, candidates: [candidate], known: [], surroundings };
  return planRevision(request).steps[0]!;
}

/** In the folder where the function is now, or wherever it was. */
async function declarationAt(
  { environment }: PinDeps,
  snapshot: Snapshot,
  { name, folder }: { name: string; folder: string },
): Promise<Declaration | undefined> {
  const options = environment === undefined ? {} : { environment };
  const reader = createDeclarationReader();
  const [here] = await reader.read(onlyFolder(snapshot, folder), options);
  if (here?.name === name) return here;
  return (await reader.read(snapshot, options)).find((declaration) => declaration.name === name);
}

function onlyFolder(snapshot: Snapshot, folder: string): Snapshot {
  return {
    revision: snapshot.revision,
    functionFolders: async () => (await snapshot.functionFolders()).filter((one) => one === folder),
    treeId: (path) => snapshot.treeId(path),
    list: (path) => snapshot.list(path),
    refused: (path) => snapshot.refused(path),
    read: (path) => snapshot.read(path),
    blobId: (path) => snapshot.blobId(path),
  };
}

/** Told where the pin is declared. */
export function errorOfPin({ alias, ref, position }: DeclaredPin, error: ErrorReport): ErrorReport {
  const message = `pin of "${alias}" at "${ref}": ${formatError(error)}`;
  return { ...error, message, position };
}

export function planned(pins: PlannedPins | undefined): PlannedPin[] {
  return pins && "pins" in pins ? pins.pins : [];
}

/** The planned pin on `latest` as the hold that the newest version meets. */
export function plannedHold(pins: PlannedPins | undefined, standing?: StandingPin): Hold | undefined {
  const pin = planned(pins).find(({ alias }) => alias === "latest");
  if (!pin) return undefined;
  const { alias, ref, commit, position, step } = pin;
  const version = step.kind === "reuse" ? step.version : "";
  const createdAt = standing?.createdAt ?? 0;
  return { alias, kind: "pin", version, author: "the repository", createdAt, declared: { ref, commit, position } };
}

/** Whether what the registry has of the function's pins is not yet what they come to; what a person holds may be elsewhere. */
export function isRepinned(registry: Registry, record: FunctionRecord, pins: PlannedPins | undefined): boolean {
  const wanted = planned(pins);
  const standing = new Map(registry.declaredPins(record.id).map((pin) => [pin.alias, pin]));
  if (wanted.length !== standing.size) return true;
  if (wanted.some((pin) => !isStanding(standing.get(pin.alias), pin))) return true;
  if (!wanted.length || registry.suspension(record.id)) return false;
  const led = new Map(registry.aliases(record.id).map(({ name, versionId }) => [name, versionId]));
  return [...standing.values()].some(({ alias, version }) => {
    return led.get(alias) !== version && !registry.hold(record.id, alias);
  });
}

/** Whether the pin was led there before, and stands where it stood. */
export function isStanding(standing: StandingPin | undefined, { ref, commit, position, step }: PlannedPin): boolean {
  if (!standing || step.kind !== "reuse" || step.version !== standing.version) return false;
  const { file, line } = standing.position;
  return standing.ref === ref && standing.commit === commit && position.file === file && position.line === line;
}
