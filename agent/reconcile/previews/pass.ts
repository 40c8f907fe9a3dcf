// Makes the preview of one revision: observe, plan, build, copy databases, record. Moves nothing of `latest` and removes nothing of
// production; what fails for one function stops no other one.
import { type ErrorReport, reportOf, WrkstError } from "../../errors.js";
import { formatRevision, type MigrationSet, type Revision } from "../../model.js";
import { nameTaken } from "../../plan/plan.js";
import type {
  FunctionRecord,
  NewBuild,
  NewEvent,
  PreviewFunction,
  PreviewRecord,
  Registry,
} from "../../store/index.js";
import { type Acting, actOn } from "../act.js";
import type { Built } from "../build.js";
import type { PreviewCopies, PreviewWork } from "../databases/index.js";
import { mapLimited } from "../flow.js";
import type { PassRun } from "../loop.js";
import { type Observed, observe, type PassDeps, type StepResult } from "../pass.js";
import { bringsOthers, copiesOf, migrationsOf, readSets } from "./migrations.js";

export interface PreviewPassDeps {
  /** As those of the source's own passes, with a checkout, an installer and kept builds of its own. */
  passes: PassDeps;
  /** Whether previews get the functions' secrets. */
  hasSecrets: boolean;
  copies: { makeForPreview(previewId: string, work: PreviewWork): Promise<PreviewCopies> };
  /** Settles when nothing that serves is waited for. */
  calm(): Promise<void>;
}

/** What is to be previewed. */
export interface PreviewWanted {
  commit: string;
  label: string;
  handled: string;
  /** A branch, or one function at a commit that somebody asked for. */
  of: { branch: string } | { asked: string; function: string };
}

type Switching = Extract<StepResult, { kind: "switch" }>;
type Failing = Extract<StepResult, { kind: "fail" }>;

/** Functions that are built at a time: few, so that the builds of a push to production hardly wait. */
const AT_ONCE = 2;

export async function runPreview(
  deps: PreviewPassDeps,
  wanted: PreviewWanted,
  signal: AbortSignal,
): Promise<PreviewRecord> {
  const { passes } = deps;
  const { source, registry } = passes;
  const { commit, of } = wanted;
  const isAsked = "asked" in of;
  const revision: Revision = { source: source.name, branch: isAsked ? source.branch : of.branch, commit };
  await passes.verify?.(commit, signal);
  const snapshot = await source.snapshot(commit, revision.branch);
  const observed = onlyOf(await observe(passes, revision, snapshot), wanted);
  const acting: Acting = { deps: passes, pass: quietPass(signal), snapshot, observed, told: new Set() };
  const results = (await build(acting, deps.calm)).map((result) => settle(passes, result));
  const all = results.flatMap((result) => (result.kind === "switch" ? [result] : []));
  const { sets, failing: unreadable } = await readSets(snapshot, all);
  const made = all.filter(({ step }) => !unreadable.some((one) => one.step === step));
  const failing = await ownFailures(acting, [...results.filter(({ kind }) => kind === "fail"), ...unreadable]);
  const { records } = observed;
  const differs = ({ version: { id, function: name } }: Switching) => isDifferent(source.name, records.get(name), id);
  const brings = ({ version: { function: name } }: Switching) =>
    sets.has(name) && bringsOthers(registry, records.get(name), sets.get(name)!);
  const differing = new Set(made.filter((one) => isAsked || differs(one) || brings(one)));
  const preview = openPreview(registry, source.name, wanted);
  const concerned = made.filter((one) => differing.has(one) || sets.has(one.version.function));
  const bound = bind(registry, concerned);
  const shown = bound.filter((_, index) => differing.has(concerned[index]!));
  const unknown = new Set(results.flatMap(({ kind, step }) => (kind === "fail" ? [step.declaration.name] : [])));
  const copied = await copy(deps, preview, { bound, shown, sets, unknown, signal });
  signal.throwIfAborted();
  const migrates = new Map(
    [...differing]
      .filter((one) => !isAsked && !differs(one))
      .map(({ version: { function: name } }) => {
        return [name, migrationsOf(registry, records.get(name))] as const;
      }),
  );
  const hasSecrets = deps.hasSecrets && !isAsked;
  const functions = [
    ...shown.map((one) => ({
      ...withError(one, copied.errors.get(one.name)),
      hasSecrets,
      ...flag(migrates, one.name),
    })),
    ...failing.map(failedFunction),
  ];
  const { warnings } = copied;
  const built = made.flatMap((result) => result.built ?? []);
  // Production would take what was built already for what it has, and apply nothing.
  const bringing = new Set(made.filter(brings).map(({ version }) => version.function));
  return registry.previews.record({
    ...{ id: preview.id, commit, label: wanted.label, handled: wanted.handled, account: passes.account },
    versions: Object.fromEntries(made.map(({ version }) => [version.function, version.id])),
    ...{ functions, warnings },
    made: built.map(({ version: { createdAt: _, ...version } }) => version),
    builds: built.filter((one) => !bringing.has(one.version.function)).map((one) => buildOf(passes, one)),
    events: eventsOf(preview, wanted, revision, functions),
  });
}

interface Copying {
  bound: Bound[];
  /** Those that the preview has. */
  shown: Bound[];
  sets: ReadonlyMap<string, MigrationSet[]>;
  unknown: ReadonlySet<string>;
  signal: AbortSignal;
}

/** Copies of what the preview's functions use, with what all of its functions bring; `errors` by function. */
async function copy(deps: PreviewPassDeps, { id }: PreviewRecord, { bound, shown, sets, unknown, signal }: Copying) {
  const keys = shown.flatMap(({ bindings }) => Object.values(bindings));
  const bringing = bound.map(({ name, bindings }) => ({ function: name, bindings, sets: sets.get(name) ?? [] }));
  const { wanted, errors } = copiesOf(deps.passes, keys, bringing);
  const copied = await deps.copies.makeForPreview(id, { wanted, unknown, signal });
  for (const { key, brought } of wanted) {
    const error = copied.errors.get(key);
    if (error) for (const one of brought) errors.set(one.function, reportOf(error));
  }
  return { warnings: copied.warnings, errors };
}

function withError(one: Bound, error: ErrorReport | undefined): Bound {
  return error ? { ...one, version: null, bindings: {}, error } : one;
}

function flag(migrates: ReadonlyMap<string, string>, name: string): { migrates?: string } {
  const found = migrates.get(name);
  return found === undefined ? {} : { migrates: found };
}

function openPreview(registry: Registry, source: string, { of, commit, label }: PreviewWanted): PreviewRecord {
  if ("branch" in of) return registry.previews.open({ source, branch: of.branch, commit, label });
  const asked = registry.previews.byId(of.asked);
  if (asked) return asked;
  throw new WrkstError("ERR_SUPERSEDED", "the preview was removed meanwhile");
}

/** @throws WrkstError ERR_NOT_FOUND where the one function that is asked for is not there */
function onlyOf(observed: Observed, { of, commit }: PreviewWanted): Observed {
  if ("branch" in of) return observed;
  const steps = observed.plan.steps.filter(({ declaration }) => declaration.name === of.function);
  if (steps.length) return { ...observed, plan: { ...observed.plan, steps } };
  throw notDeclared(of.function, commit);
}

export function notDeclared(name: string, commit: string): WrkstError {
  return new WrkstError("ERR_NOT_FOUND", `the commit ${commit.slice(0, 12)} declares no function "${name}"`);
}

/** Tells nobody, since what a preview comes to is told when it is there. */
function quietPass(signal: AbortSignal): PassRun {
  const nothing = () => {};
  return { cause: "push", author: "", force: true, prune: false, signal, observe: nothing, commit: nothing };
}

async function build(acting: Acting, calm: () => Promise<void>): Promise<StepResult[]> {
  const { deps, pass, snapshot } = acting;
  const { steps } = acting.observed.plan;
  const isBuilt = steps.some((step) => step.kind === "build");
  if (isBuilt) await deps.checkout.sync(snapshot, pass.signal);
  const results = await mapLimited(steps, AT_ONCE, async (step) => {
    if (step.kind === "build") await calm();
    pass.signal.throwIfAborted();
    return actOn(acting, step);
  });
  deps.kept.clear();
  return results;
}

/** What is kept in production is a version as any other one here; a name that is another account's is refused. */
function settle({ account, registry }: PassDeps, result: StepResult): StepResult {
  if (result.kind === "fail") return result;
  const { step } = result;
  const { name, warnings } = step.declaration;
  const owner = ownerOf(registry, name);
  if (owner && owner.account !== account) return { kind: "fail", step, error: nameTaken(name) };
  if (result.kind === "switch") return result;
  const version = registry.version(result.version);
  if (!version) throw new TypeError(`the version ${result.version} is not in the registry`);
  return { kind: "switch", step, version, warnings };
}

function ownerOf(registry: Registry, name: string): FunctionRecord | undefined {
  return registry.functionByName(name) ?? registry.removedFunctions().find((removed) => removed.name === name);
}

/** What fails in production as well, from the very same folder, is told there. */
async function ownFailures({ deps, snapshot, observed }: Acting, results: StepResult[]): Promise<Failing[]> {
  const failing = results.filter((result) => result.kind === "fail");
  const last = failing.length ? deps.registry.lastRevision(deps.source.name) : undefined;
  if (!last) return failing;
  const followed = await deps.source.snapshot(last.commit).catch(() => undefined);
  const own = await Promise.all(
    failing.map(async ({ step: { declaration } }) => {
      if (observed.records.get(declaration.name)?.state !== "failed") return true;
      const [here, there] = await Promise.all([
        snapshot.treeId(declaration.folder),
        followed?.treeId(declaration.folder),
      ]);
      return here !== there;
    }),
  );
  return failing.filter((_, index) => own[index]);
}

/** Neither what serves nor what the source's followed branch gave last. */
export function isDifferent(source: string, record: FunctionRecord | undefined, version: string): boolean {
  if (!record || record.removedAt !== null) return true;
  const declared = record.source === source ? record.declared : null;
  return version !== record.latest && version !== declared;
}

type Bound = Omit<PreviewFunction, "functionId" | "hasSecrets"> & { folder: string };

/** Nothing is made for it in production. */
function bind(registry: Registry, differing: Switching[]): Bound[] {
  const found = registry.previews.wouldBind(
    differing.map(({ version: { id, account, function: name, manifest } }) => ({
      function: { account, name },
      version: id,
      declared: manifest.d1Databases,
      share: manifest.share ?? [],
    })),
  );
  return differing.map(({ step: { declaration }, version }, index) => {
    const { name, folder } = declaration;
    const answer = found[index]!;
    if ("bindings" in answer) return { name, folder, version: version.id, bindings: answer.bindings };
    const position = declaration.bindingPositions?.[answer.binding];
    return {
      name,
      folder,
      version: null,
      bindings: {},
      error: { ...reportOf(answer.error), ...(position ? { position } : {}) },
    };
  });
}

function failedFunction({ step: { declaration }, error }: Failing) {
  const { name, folder } = declaration;
  return { name, folder, version: null, bindings: {}, hasSecrets: false, error };
}

function buildOf({ environment = "", bundlerId: bundler }: PassDeps, { version, treeId, inputs }: Built): NewBuild {
  return { function: version.function, environment, treeId, bundler, inputs, versionId: version.id };
}

function eventsOf(
  before: PreviewRecord,
  { label }: PreviewWanted,
  revision: Revision,
  functions: Pick<PreviewFunction, "name" | "version" | "error">[],
): NewEvent[] {
  const what = before.branch === null ? `commit ${revision.commit.slice(0, 12)}` : `the branch "${before.branch}"`;
  const there = functions.filter(({ version }) => version !== null).map(({ name }) => `"${name}"`);
  const common = { source: revision.source, revision: formatRevision(revision) };
  const word = before.handled === "" ? "created" : "updated";
  const made = there.length ? `${there.join(", ")} at "${label}"` : "no function differs from production";
  return [
    { ...common, kind: `preview.${word}`, message: `the preview of ${what} was ${word}: ${made}` },
    ...functions.flatMap(({ name, error }) =>
      error
        ? [
            {
              ...common,
              kind: "preview.failed",
              function: name,
              message: `"${name}" of ${what}: ${error.message}`,
              error,
            },
          ]
        : [],
    ),
  ];
}
