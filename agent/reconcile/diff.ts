// What a revision would change: planned as a pass plans it, and nothing is built, loaded, migrated or recorded.
import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import { createDeclarationReader } from "../manifest/declarations.js";
import { readMigrations } from "../manifest/migrations.js";
import { type FunctionDiff, formatRevision, type Revision, type RevisionDiff, type Snapshot } from "../model.js";
import { diffSteps, isChange, pendingIn } from "../plan/diff.js";
import type { Step } from "../plan/plan.js";
import type { Migrating } from "./databases/index.js";
import { mapLimited } from "./flow.js";
import { type Observed, observe, type PassDeps, type Planning } from "./pass.js";
import { createPinPlanning, type PlannedPin, planned } from "./pins.js";

export interface DiffDeps extends Omit<Planning, "source" | "declarations" | "pins">, Pick<PassDeps, "verify"> {
  source: PassDeps["source"] & { resolve(ref: string, signal: AbortSignal): Promise<string> };
  migrating: Pick<Migrating, "appliedNames">;
}

/** Functions whose databases are asked at a time. */
const AT_ONCE = 4;

/** Compares with a reader of its own, so that the passes' cache of the followed tree stays. */
export function createDiffing(deps: DiffDeps) {
  const declarations = createDeclarationReader();

  /** `ref`: a branch, tag or commit; without it what is followed, as it is there now. @throws as `Source` */
  return async (ref: string | undefined, signal: AbortSignal): Promise<RevisionDiff> => {
    const { source, registry } = deps;
    const commit = ref === undefined ? (await source.fetch({ signal })).commit : await source.resolve(ref, signal);
    const revision: Revision = { source: source.name, branch: source.branch, commit };
    const snapshot = await source.snapshot(commit);
    const pins = createPinPlanning(deps, signal);
    const observed = await observe({ ...deps, declarations, pins }, revision, snapshot);
    const given = givenBy(observed, snapshot);
    const { removals } = observed.plan;
    const functions = diffSteps({
      ...{ steps: given.map(({ step }) => step), removals },
      serving: (name) => servingOf(observed, name),
      version: (id) => registry.version(id),
      hold: (name) => {
        const record = observed.records.get(name);
        return record && observed.holds.get(record.id);
      },
      pins: (name) => planned(observed.pins.planned.get(name)).map(shownPin),
      folderOf: (name) => observed.records.get(name)?.folder ?? "",
      migrations: await migrationsOf(deps, { observed, given, signal }),
    });
    const last = registry.lastRevision(source.name);
    return {
      ...{ source: source.name, from: last ? formatRevision(last) : null, to: formatRevision(revision) },
      ...{ functions, isChange: functions.some(isChange) },
    };
  };
}

function servingOf({ records }: Observed, name: string): string | undefined {
  const record = records.get(name);
  return record?.removedAt === null ? (record.latest ?? undefined) : undefined;
}

/** What would serve, with the tree that declares it: pins of `latest` lead to older ones. */
interface Given {
  step: Step;
  snapshot: Snapshot;
}

function givenBy({ plan, pins }: Observed, snapshot: Snapshot): Given[] {
  return plan.steps.map((step) => {
    const own = step.kind === "fail" ? [] : planned(pins.planned.get(step.declaration.name));
    const pin = own.find(({ alias }) => alias === "latest");
    return pin ? { step: pin.step, snapshot: pin.snapshot } : { step, snapshot };
  });
}

function shownPin({ alias, ref, commit, position }: PlannedPin) {
  return { alias, ref, commit, position };
}

interface Asking {
  observed: Observed;
  given: Given[];
  signal: AbortSignal;
}

/** Only of what would be another version: databases are asked for what they have. */
async function migrationsOf(
  deps: DiffDeps,
  asking: Asking,
): Promise<Map<string, FunctionDiff["migrations"] | ErrorReport>> {
  const { observed, given } = asking;
  const changing = given.filter(
    ({ step }) =>
      step.declaration.manifest?.d1Databases.length &&
      step.kind !== "fail" &&
      !(step.kind !== "build" && step.version === servingOf(observed, step.declaration.name)),
  );
  const found = await mapLimited(changing, AT_ONCE, async (one) => {
    asking.signal.throwIfAborted();
    return [one.step.declaration.name, await pendingOf(deps, observed, one).catch(reportOrThrow)] as const;
  });
  return new Map(found);
}

/** The fault of one function is that function's. */
function reportOrThrow(error: unknown): ErrorReport {
  if (error instanceof WrkstError) return reportOf(error);
  throw error;
}

async function pendingOf(deps: DiffDeps, observed: Observed, { step: { declaration }, snapshot }: Given) {
  const { registry, migrating } = deps;
  const { sets } = await readMigrations(snapshot, declaration);
  const record = observed.records.get(declaration.name);
  const version = servingOf(observed, declaration.name);
  const bound = record && version ? registry.databases.boundTo(record.id, version) : {};
  const shown: FunctionDiff["migrations"] = [];
  for (const set of sets) {
    const id = bound[set.binding]?.id;
    const database = id === undefined ? undefined : registry.databases.byId(id);
    const applied = database ? await migrating.appliedNames(database, set.table) : [];
    const entry = declaration.manifest?.d1Databases.find(({ binding }) => binding === set.binding);
    const pending = pendingIn(set, applied);
    if (pending.length) shown.push({ database: database?.name ?? entry?.databaseName ?? set.binding, pending });
  }
  return shown;
}
