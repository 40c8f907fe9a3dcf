// What a revision would change against what serves, function by function. Pure; builds nothing, so sizes are known only where
// a version of the same content is.

import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import { type FunctionDiff, type Hold, holdsBack, type Manifest, type MigrationSet, type Version } from "../model.js";
import type { Step } from "./plan.js";

export interface DiffRequest {
  steps: Step[];
  removals: string[];
  /** Id of the version that serves, by name of the function; absent: nothing does. */
  serving(name: string): string | undefined;
  /** A version that is there already; asked for only where something differs. */
  version(id: string): Version | undefined;
  hold(name: string): Hold | undefined;
  /** What the revision pins of the function; the step is that of `latest` as it is pinned. */
  pins?(name: string): NonNullable<FunctionDiff["pins"]>;
  folderOf(name: string): string;
  /** What it would apply, by name of the function, or why that could not be told. */
  migrations: ReadonlyMap<string, FunctionDiff["migrations"] | ErrorReport>;
}

/** Functions in the order of the plan, removed ones last. */
export function diffSteps(request: DiffRequest): FunctionDiff[] {
  const declared = request.steps.map((step) => diffStep(step, request));
  const removed = request.removals.map((name): FunctionDiff => {
    const hold = request.hold(name);
    const isKept = hold && hold.kind !== "rollback";
    const size = { from: servingOf(name, request)?.size ?? null, to: null };
    return { ...bare(name, request.folderOf(name), "remove"), ...(isKept ? { hold } : {}), size };
  });
  return [...declared, ...removed];
}

/** Whether callers would notice: what a person holds does not move, and what fails moves nothing. */
export function isChange({ change, hold }: FunctionDiff): boolean {
  return (change === "create" || change === "update" || change === "remove") && hold === undefined;
}

/** Files of the sets that are not applied yet. */
export function pendingIn(set: MigrationSet, applied: readonly string[]): string[] {
  const known = new Set(applied);
  return set.migrations.map(({ name }) => name).filter((name) => !known.has(name));
}

function diffStep(step: Step, request: DiffRequest): FunctionDiff {
  const { name, folder, manifest } = step.declaration;
  const failed = (error: ErrorReport): FunctionDiff => ({ ...bare(name, folder, "fail"), error });
  if (step.kind === "fail") return failed(step.error);
  if (!manifest) return failed(reportOf(new WrkstError("ERR_MANIFEST", `"${name}" has no configuration`)));
  const nextId = step.kind === "build" ? undefined : step.version;
  const pins = request.pins?.(name) ?? [];
  const pinned = pins.length ? { pins } : {};
  if (nextId !== undefined && nextId === request.serving(name)) {
    return { ...bare(name, folder, "unchanged"), ...pinned };
  }
  const serving = servingOf(name, request);
  const next = nextId === undefined ? undefined : request.version(nextId);
  const migrations = request.migrations.get(name) ?? [];
  if (!Array.isArray(migrations)) return failed(migrations);
  const hold = request.hold(name);
  return {
    ...bare(name, folder, serving ? "update" : "create"),
    ...pinned,
    ...(hold && holdsBack(hold, nextId ?? "") ? { hold } : {}),
    size: { from: serving?.size ?? null, to: next?.size ?? null },
    configuration: configurationDiff(serving?.manifest, manifest),
    bindings: bindingsDiff(serving?.manifest, manifest),
    migrations,
  };
}

function servingOf(name: string, request: DiffRequest): Version | undefined {
  const id = request.serving(name);
  return id === undefined ? undefined : request.version(id);
}

function bare(name: string, folder: string, change: FunctionDiff["change"]): FunctionDiff {
  const bindings = { added: [], removed: [], changed: [] };
  return { name, folder, change, configuration: [], bindings, migrations: [] };
}

/** Bindings stand apart, by name only: what a var holds is for those who read the repository. */
function configurationDiff(before: Manifest | undefined, after: Manifest): FunctionDiff["configuration"] {
  if (!before) return [];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort() as (keyof Manifest)[];
  return keys
    .filter((key) => key !== "vars" && key !== "d1Databases" && !isEqual(before[key], after[key]))
    .map((key) => ({ key, from: before[key] ?? null, to: after[key] ?? null }));
}

function bindingsDiff(before: Manifest | undefined, after: Manifest): FunctionDiff["bindings"] {
  const [old, now] = [before ? bindingsOf(before) : new Map<string, unknown>(), bindingsOf(after)];
  return {
    added: [...now.keys()].filter((name) => !old.has(name)).sort(),
    removed: [...old.keys()].filter((name) => !now.has(name)).sort(),
    changed: [...now.keys()].filter((name) => old.has(name) && !isEqual(old.get(name), now.get(name))).sort(),
  };
}

function bindingsOf({ vars, d1Databases }: Manifest): Map<string, unknown> {
  return new Map<string, unknown>([
    ...Object.entries(vars).map(([name, value]) => [name, { value }] as const),
    ...d1Databases.map((database) => [database.binding, { database }] as const),
  ]);
}

/** Manifests are plain JSON, read by one program in one order of keys. */
function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
