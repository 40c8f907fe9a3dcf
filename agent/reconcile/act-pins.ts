// The versions that declared pins want: built from their commits where nothing built them yet, before the revision itself is.
// A failure is that of one function.
import { type ErrorReport, reportOf } from "../errors.js";
import type { DeclaredPin } from "../model.js";
import type { Step } from "../plan/plan.js";
import { waitingKey } from "../store/index.js";
import { type Acting, actOn } from "./act.js";
import { bindDatabases } from "./bind.js";
import { mapLimited } from "./flow.js";
import { migrateOne, noteOnly } from "./migrate.js";
import type { StepResult } from "./pass.js";
import { errorOfPin, isStanding, type PlannedPin, planned } from "./pins.js";

type Switching = Extract<StepResult, { kind: "switch" }>;

/** A declared pin with its version. */
export interface Pinning extends DeclaredPin {
  commit: string;
  /** As the step of a function of its own. */
  result: Switching;
  snapshot: PlannedPin["snapshot"];
  /** It was led there by an earlier pass. */
  isStanding: boolean;
}

/** Of the functions that have some to act on: all their pins, or what is wrong with one. */
export async function buildPins(acting: Acting): Promise<Map<Step, Pinning[] | ErrorReport>> {
  const { plan, pins } = acting.observed;
  const wanted = plan.steps.flatMap((step) => {
    const own = step.kind === "fail" || step.kind === "keep" ? [] : planned(pins.planned.get(step.declaration.name));
    return own.map((pin) => ({ step, pin }));
  });
  const results = new Map<PlannedPin, StepResult>();
  for (const commit of new Set(wanted.map(({ pin }) => pin.commit))) {
    const there = wanted.flatMap(({ pin }) => (pin.commit === commit ? [pin] : []));
    for (const [pin, result] of await buildAt(acting, there)) results.set(pin, result);
  }
  const found = new Map<Step, Pinning[] | ErrorReport>();
  for (const { step, pin } of wanted) {
    const before = found.get(step) ?? [];
    if (Array.isArray(before)) found.set(step, joined(acting, before, pin, results.get(pin)!));
  }
  return found;
}

async function buildAt({ ...acting }: Acting, pins: PlannedPin[]): Promise<Map<PlannedPin, StepResult>> {
  const { deps, pass } = acting;
  acting.snapshot = pins[0]!.snapshot;
  if (pins.some(({ step }) => step.kind === "build")) await deps.checkout.sync(acting.snapshot, pass.signal);
  const built = await mapLimited(pins, deps.concurrency, (pin) => {
    pass.signal.throwIfAborted();
    return actOn(acting, pin.step);
  });
  const bound = bindDatabases(deps, built);
  return new Map(pins.map((pin, index) => [pin, bound[index]!]));
}

function joined(
  { deps, observed }: Acting,
  before: Pinning[],
  { alias, ref, position, ...pin }: PlannedPin,
  result: StepResult,
): Pinning[] | ErrorReport {
  const at = { alias, ref, position };
  if (result.kind === "fail") return errorOfPin(at, result.error);
  if (result.kind !== "switch") throw new TypeError("a pin is built or used again");
  const { commit, snapshot } = pin;
  const record = observed.records.get(result.version.function);
  const standing = record && deps.registry.declaredPin(record.id, alias);
  return [...before, { ...at, commit, snapshot, result, isStanding: isStanding(standing, { ...at, ...pin }) }];
}

/** What pins bring to `latest` has its own migrations, unless a person holds it back; versions for other aliases work on copies. */
export async function migratePins(acting: Acting, results: StepResult[]): Promise<StepResult[]> {
  const migrated: StepResult[] = [];
  for (const result of results) migrated.push(await migratePinsOf(acting, result));
  return migrated;
}

async function migratePinsOf(acting: Acting, result: StepResult): Promise<StepResult> {
  if (result.kind === "keep" || !result.pins) return result;
  const pins: Pinning[] = [];
  for (const pin of result.pins) {
    const one = isMigrated(acting, pin) ? pin.result : await migratePin({ ...acting, snapshot: pin.snapshot }, pin);
    if (one.kind === "fail") return { kind: "fail", step: result.step, error: errorOfPin(pin, one.error) };
    if (one.kind === "switch") pins.push({ ...pin, result: one });
  }
  return { ...result, pins };
}

/** What stands below a hold of a person has not served, and its migrations wait as long. */
function isMigrated({ deps }: Acting, { alias, isStanding, result: { version } }: Pinning): boolean {
  return isStanding && (alias !== "latest" || deps.registry.functionByName(version.function)?.latest === version.id);
}

async function migratePin(acting: Acting, { alias, result }: Pinning): Promise<StepResult> {
  const { registry } = acting.deps;
  const { function: name, manifest } = result.version;
  const record = registry.functionByName(name);
  const isHeld = record !== undefined && registry.holdsOnGit().has(record.id);
  try {
    if (alias === "latest" && isHeld && manifest.d1Databases.length) registry.setSetting(waitingKey(record.id), "1");
    if (alias !== "latest" || isHeld) return await noteOnly(acting, result);
    return await migrateOne(acting, result);
  } catch (error) {
    acting.pass.signal.throwIfAborted();
    return { kind: "fail", step: result.step, error: reportOf(error) };
  }
}
