// The step of a pass between the load check and the switch: migrations of what is about to serve. A failure is that of one
// function, whose old version keeps serving.
import { formatError, reportOf, WrkstError } from "../errors.js";
import { readMigrations } from "../manifest/migrations.js";
import { type Database, formatRevision, holdsBack, type MigrationSet, type Version } from "../model.js";
import { waitingKey } from "../store/index.js";
import type { Acting } from "./act.js";
import type { Migrated, Migrating } from "./databases/index.js";
import { mapLimited } from "./flow.js";
import { failedStep, type StepResult } from "./pass.js";

type Switching = Extract<StepResult, { kind: "switch" }>;

/** Functions whose databases are migrated at a time. */
const AT_ONCE = 4;

/** What a person or the repository holds back is not going to serve: its migrations wait too, but for copies that its previews work on. */
export async function migrateAll(acting: Acting, results: StepResult[]): Promise<StepResult[]> {
  const { registry } = acting.deps;
  const holds = registry.holdsOnGit();
  return mapLimited(results, AT_ONCE, async (result) => {
    if (result.kind !== "switch") return result;
    const { account, function: name, id: version, manifest } = result.version;
    const record = registry.functionByName(name);
    const isPinned = result.pins?.some(({ alias }) => alias === "latest");
    acting.pass.signal.throwIfAborted();
    try {
      if (isPinned || (record && holdsBack(holds.get(record.id), version))) {
        const id = () => record?.id ?? registry.databases.functionId(account, name);
        if (manifest.d1Databases.length) registry.setSetting(waitingKey(id()), "1");
        return await noteOnly(acting, result);
      }
      const migrated = await migrateOne(acting, result);
      if (record) registry.deleteSetting(waitingKey(record.id));
      return migrated;
    } catch (error) {
      acting.pass.signal.throwIfAborted();
      return failedStep(result, reportOf(error));
    }
  });
}

interface Found {
  functionId: string;
  found: { set: MigrationSet; database: Database }[];
}

async function setsOf(acting: Acting, { step, version }: Switching): Promise<Found> {
  const { sets } = await readMigrations(acting.snapshot, step.declaration);
  const functionId = acting.deps.registry.databases.functionId(version.account, version.function);
  return { functionId, found: sets.map((set) => ({ set, database: databaseOf(acting, functionId, version, set) })) };
}

export async function noteOnly(acting: Acting, result: Switching): Promise<StepResult> {
  try {
    await note(acting, result.version, await setsOf(acting, result));
    return result;
  } catch (error) {
    acting.pass.signal.throwIfAborted();
    const message = `its preview has no migrations: ${formatError(reportOf(error))}`;
    return { ...result, warnings: [...result.warnings, { message }] };
  }
}

function note({ deps }: Acting, version: Version, { functionId, found }: Found): Promise<void> {
  const noted = found.map(({ set, database }) => ({ set, database: database.id }));
  return deps.migrating.note(noted.map((one) => ({ ...one, version: version.id, function: functionId })));
}

export async function migrateOne(acting: Acting, result: Switching): Promise<StepResult> {
  const { deps, pass, observed } = acting;
  const sets = await setsOf(acting, result);
  const { functionId, found } = sets;
  if (!found.length) return result;
  const { version } = result;
  for (const { set, database } of found) refuseForeign(deps.migrating, functionId, database, set);
  const migrated: Migrated[] = [];
  for (const { set, database } of found) {
    const about = { function: version.function, revision: formatRevision(observed.revision) };
    const of = { account: version.account, database: database.id };
    migrated.push(await deps.migrating.apply(of, { set, about, signal: pass.signal }));
  }
  await note(acting, version, sets);
  const warnings = [...result.warnings, ...migrated.flatMap((one) => one.warnings)];
  return { ...result, warnings, migrated: migrated.filter(({ applied }) => applied.length) };
}

function databaseOf({ deps }: Acting, functionId: string, version: Version, { binding }: MigrationSet): Database {
  const bound = deps.registry.databases.boundTo(functionId, version.id)[binding];
  const database = bound && deps.registry.databases.byId(bound.id);
  if (database) return database;
  throw new WrkstError("ERR_INTERNAL", `the binding "${binding}" of "${version.function}" has no database`);
}

/** Of two functions that bring migrations for one database, neither would know what the other one's do. */
export function refuseForeign(
  migrating: Pick<Migrating, "otherBringer">,
  functionId: string,
  database: Database,
  { folder, binding }: MigrationSet,
): void {
  const isForeign = database.owner !== null && database.owner !== functionId;
  const other = isForeign ? database.owner : migrating.otherBringer(database, functionId);
  if (!other) return;
  const why = isForeign ? "belongs to another function" : "gets its migrations from another function";
  throw new WrkstError(
    "ERR_CONFLICT",
    `"${folder}" has migrations for "${binding}", but the database "${database.name}" ${why}`,
    {
      hint: "keep the migrations of a shared database with its owner only",
      position: { file: folder },
    },
  );
}
