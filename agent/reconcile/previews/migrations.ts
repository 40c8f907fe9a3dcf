// What functions of a preview bring for their databases: read from the commit, compared with production by digests. Applies nothing.
import { createHash } from "node:crypto";
import { digestOf } from "../../artifact/index.js";
import { type ErrorReport, reportOf, WrkstError } from "../../errors.js";
import { readMigrations } from "../../manifest/migrations.js";
import type { MigrationSet, Snapshot } from "../../model.js";
import type { FunctionRecord, Registry } from "../../store/index.js";
import type { CopyWanted } from "../databases/index.js";
import { refuseForeign } from "../migrate.js";
import type { PassDeps, StepResult } from "../pass.js";

type Switching = Extract<StepResult, { kind: "switch" }>;
type Failing = Extract<StepResult, { kind: "fail" }>;

/** By name of the function; what cannot be read fails that function alone. */
export async function readSets(
  snapshot: Snapshot,
  made: Switching[],
): Promise<{ sets: Map<string, MigrationSet[]>; failing: Failing[] }> {
  const [sets, failing] = [new Map<string, MigrationSet[]>(), [] as Failing[]];
  for (const { step } of made) {
    try {
      const reading = await readMigrations(snapshot, step.declaration);
      if (reading.sets.length) sets.set(step.declaration.name, reading.sets);
    } catch (error) {
      failing.push({ kind: "fail", step, error: reportOf(error) });
    }
  }
  return { sets, failing };
}

/** Equal as long as production brings the same for the databases of the function. */
export function migrationsOf(registry: Pick<Registry, "snapshots">, record: FunctionRecord | undefined): string {
  const notes = record?.latest ? registry.snapshots.migrationsOfVersion(record.latest) : [];
  const digests = notes.map(({ digest }) => digest).sort();
  return createHash("sha256").update(JSON.stringify(digests)).digest("hex");
}

/** Whether production brings anything else, or knows of nothing. */
export function bringsOthers(
  registry: Pick<Registry, "snapshots">,
  record: FunctionRecord | undefined,
  sets: MigrationSet[],
): boolean {
  const notes = record?.latest ? registry.snapshots.migrationsOfVersion(record.latest) : [];
  const known = new Set(notes.map(({ digest }) => digest));
  return sets.some((set) => !known.has(digestOf(Buffer.from(JSON.stringify(set)))));
}

export interface Bringing {
  function: string;
  /** As of `PreviewFunction`. */
  bindings: Record<string, string>;
  sets: MigrationSet[];
}

/** For each database that one of the first functions uses. What two functions bring for one, or is another's, is refused. */
export function copiesOf(
  { registry, migrating }: Pick<PassDeps, "registry" | "migrating">,
  keys: Iterable<string>,
  bringing: Bringing[],
): { wanted: CopyWanted[]; errors: Map<string, ErrorReport> } {
  const errors = new Map<string, ErrorReport>();
  const wanted = new Map<string, CopyWanted>([...keys].map((key) => [key, { key, brought: [] }]));
  for (const { function: name, bindings, sets } of bringing) {
    for (const set of sets) {
      const one = wanted.get(bindings[set.binding] ?? "");
      if (!one) continue;
      try {
        const database = registry.databases.byId(one.key);
        const id = registry.functionByName(name)?.id ?? "";
        if (database) refuseForeign(migrating, id, database, set);
        refuseSecond(one, name, set);
        one.brought.push({ function: name, set });
      } catch (error) {
        errors.set(name, reportOf(error));
      }
    }
  }
  return { wanted: [...wanted.values()], errors };
}

function refuseSecond({ brought }: CopyWanted, name: string, { folder, binding }: MigrationSet): void {
  const other = brought.find((one) => one.function !== name);
  if (!other) return;
  throw new WrkstError("ERR_CONFLICT", `"${folder}" has migrations for "${binding}", and so has "${other.function}"`, {
    hint: "keep the migrations of a shared database with its owner only",
    position: { file: folder },
  });
}
