// The middle of a pass: turns the steps of the plan into versions that may be switched to, or errors. Switches nothing.
import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import type { Snapshot } from "../model.js";
import type { Step } from "../plan/plan.js";
import { buildPins, migratePins, type Pinning } from "./act-pins.js";
import { keptTogether } from "./atomic.js";
import { bindDatabases } from "./bind.js";
import { type Built, buildVersion } from "./build.js";
import { type Clock, mapLimited } from "./flow.js";
import type { PassRun } from "./loop.js";
import { migrateAll } from "./migrate.js";
import { failedOutcome } from "./outcome.js";
import { failedStep, type Observed, type PassDeps, type StepResult } from "./pass.js";
import { errorOfPin } from "./pins.js";

/** One pass at work. */
export interface Acting {
  deps: PassDeps;
  pass: PassRun;
  snapshot: Snapshot;
  observed: Observed;
  /** Steps whose failure was told already. */
  told: Set<Step>;
}

/** Milliseconds between two lines about progress. */
const PROGRESS_INTERVAL = 2_000;

/** Builds what must be built, many at a time, then lets the serving runtime load what is to be switched. */
export async function act(acting: Acting, clock: Clock): Promise<StepResult[]> {
  const { deps, pass, snapshot } = acting;
  const { steps } = acting.observed.plan;
  const pinned = await clock.measure("bundle", () => buildPins(acting));
  const results = await clock.measure("bundle", async () => {
    const total = steps.filter((step) => step.kind === "build").length;
    if (total > 0) await deps.checkout.sync(snapshot, pass.signal);
    const count = countProgress(acting, total);
    return mapLimited(steps, deps.concurrency, async (step) => {
      pass.signal.throwIfAborted();
      const result = await actBeside(acting, step, pinned.get(step));
      if (step.kind === "build") count();
      if (result.kind === "fail") tell(acting, step, result.error);
      return result;
    });
  });
  const bound = tellFailures(acting, results, bindDatabases(deps, results));
  // Before the migrations, which nothing takes back.
  const together = deps.atomic ? keptTogether(bound, acting.observed.records) : bound;
  const migrated = tellFailures(acting, together, await clock.measure("migrate", () => migrate(acting, together)));
  const prepared = await clock.measure("load", () => prepareAll(acting, migrated));
  pass.signal.throwIfAborted();
  return prepared;
}

/** What is pinned to the past comes first: it brings the older migrations. */
async function migrate(acting: Acting, results: StepResult[]): Promise<StepResult[]> {
  return migrateAll(acting, await migratePins(acting, results));
}

/** A function one of whose pins is wrong fails, whatever its newest version is. */
async function actBeside(acting: Acting, step: Step, pins: Pinning[] | ErrorReport | undefined): Promise<StepResult> {
  if (pins && !Array.isArray(pins)) return { kind: "fail", step, error: pins };
  const result = await actOn(acting, step);
  return pins && result.kind !== "keep" ? { ...result, pins } : result;
}

function countProgress({ deps, pass }: Acting, total: number): () => void {
  let done = 0;
  let last = deps.now();
  return () => {
    done++;
    if (done === total || deps.now() - last < PROGRESS_INTERVAL) return;
    last = deps.now();
    pass.observe({ kind: "building", done, total });
  };
}

/** A failure is told when it happens; what became live is told after the switch. */
function tell(acting: Acting, step: Step, error: ErrorReport): void {
  const { deps, observed, pass } = acting;
  const url = deps.urlOf(step.declaration.name);
  acting.told.add(step);
  pass.observe({ kind: "outcome", outcome: failedOutcome(observed, step.declaration, error, url) });
}

function tellFailures(acting: Acting, before: StepResult[], after: StepResult[]): StepResult[] {
  for (const [index, result] of after.entries()) {
    if (result.kind === "fail" && before[index]?.kind !== "fail") tell(acting, result.step, result.error);
  }
  return after;
}

export async function actOn(acting: Acting, step: Step): Promise<StepResult> {
  switch (step.kind) {
    case "keep":
      return { kind: "keep", step, version: step.version };
    case "fail":
      return { kind: "fail", step, error: step.error };
    case "reuse": {
      const version = acting.deps.registry.version(step.version);
      if (!version) throw new TypeError(`the version ${step.version} is not in the registry`);
      return { kind: "switch", step, version, warnings: step.declaration.warnings };
    }
    case "build":
      return build(acting, step);
  }
}

async function build(acting: Acting, step: Step): Promise<StepResult> {
  const { deps, pass, snapshot } = acting;
  const onInstall = (folder: string) => pass.observe({ kind: "installing", folder });
  try {
    refuseEntries(acting, step.declaration.folder);
    const kept = await deps.kept.find(snapshot, step.declaration);
    if (kept) return built(step, kept);
    const context = { snapshot, root: deps.checkout.dir, signal: pass.signal, onInstall };
    const made = await buildVersion(deps, step.declaration, context);
    deps.kept.add(made);
    return built(step, made);
  } catch (error) {
    pass.signal.throwIfAborted();
    return { kind: "fail", step, error: reportOf(error) };
  }
}

/** A pointer to a large file shows only when it is read, and nothing good comes of bundling it. */
function refuseEntries({ deps }: Acting, folder: string): void {
  for (const { path, message } of deps.checkout.refused.values()) {
    if (folder !== "" && !path.startsWith(`${folder}/`)) continue;
    throw new WrkstError("ERR_TREE_REFUSED", message, { position: { file: path }, hint: "commit the file itself" });
  }
}

function built(step: Step, made: Built): StepResult {
  const warnings = [...step.declaration.warnings, ...made.warnings];
  return { kind: "switch", step, version: made.version, built: made, warnings };
}

async function prepareAll({ deps, pass }: Acting, results: StepResult[]): Promise<StepResult[]> {
  const moving = (result: StepResult) =>
    result.kind === "keep" ? [] : (result.pins ?? []).filter(({ isStanding }) => !isStanding);
  const versions = results.flatMap((result) => [
    ...(result.kind === "switch" ? [result.version] : []),
    ...moving(result).map((pin) => pin.result.version),
  ]);
  if (versions.length === 0) return results;
  const refused = await deps.prepare(versions, pass.signal);
  return results.map((result): StepResult => {
    const wrong = moving(result).find((pin) => refused.has(pin.result.version.id));
    if (wrong) {
      const error = tellMigrated(deps, wrong.result, refused.get(wrong.result.version.id)!);
      return { kind: "fail", step: result.step, error: errorOfPin(wrong, error) };
    }
    const error = result.kind === "switch" ? refused.get(result.version.id) : undefined;
    if (result.kind !== "switch" || !error) return result;
    return failedStep(result, tellMigrated(deps, result, error));
  });
}

/** The version does not come to serve, but its migrations are there: the one before meets a schema that it does not know. */
function tellMigrated(
  { registry }: PassDeps,
  { version, migrated = [] }: Extract<StepResult, { kind: "switch" }>,
  error: ErrorReport,
): ErrorReport {
  if (!migrated.length) return error;
  const { account, function: name } = version;
  const parts = migrated.map(({ database, applied }) => `"${database.name}" has ${applied.join(", ")}`);
  const message = `${parts.join(" and ")}, though the version that brought that does not serve`;
  const functionId = registry.databases.functionId(account, name);
  registry.addEvent({ kind: "database.newer-than-code", function: name, functionId, account, message });
  const back = migrated.flatMap(({ database, snapshot }) =>
    snapshot === null ? [] : [`wrkst d1 restore ${database.name} ${snapshot}`],
  );
  const ways = ["mend it and push again", ...(back.length ? [`or go back: ${back.join("; ")}`] : [])];
  const hint = [...(error.hint === undefined ? [] : [error.hint]), ways.join(", ")].join("; ");
  return { ...error, message: `${error.message}; ${message}`, hint };
}
