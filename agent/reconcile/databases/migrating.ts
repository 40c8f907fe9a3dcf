// Brings databases to the schema that a version wants, on a copy that then is the database: all files or none. One that is too
// large for that is changed where it is, each file in one transaction with its own note, at the risk of the function.
import type { D1Statement } from "../../../runtime/d1/wire.js";
import type { ArtifactStore } from "../../artifact/index.js";
import {
  beyond,
  createTable,
  hasTable,
  listApplied,
  migrationError,
  pendingOf,
  scriptOf,
  sizeOf,
  warnOfChanged,
} from "../../databases/index.js";
import { WrkstError } from "../../errors.js";
import type {
  Actor,
  Database,
  DatabaseRef,
  Migration,
  MigrationSet,
  MigrationState,
  Version,
  Warning,
} from "../../model.js";
import type { MigrationsNote, NewEvent } from "../../store/index.js";
import type { Databases, QueryResult } from "../databases.js";
import { belongingTo } from "./belonging.js";
import type { ContentContext } from "./content-context.js";
import { LARGEST_COPY, type Moving } from "./moving.js";
import { rehearse } from "./rehearsing.js";
import type { Snapshotting } from "./snapshotting.js";

export interface MigratingDeps {
  /** RUNTIME_HANG_TIMEOUT in milliseconds: a script that ends the runtime after as long was too long, and would be again. */
  hangTimeout: number;
  artifacts: Pick<ArtifactStore, "put" | "get">;
  /** Version that serves the function with this id; undefined where none does. */
  servingVersion(functionId: string): string | undefined;
}

/** What was done to one database. */
export interface Migrated {
  database: { id: string; name: string };
  applied: string[];
  /** What there was before; null where nothing was applied, or the database was empty. */
  snapshot: string | null;
  warnings: Warning[];
}

export interface MigrateRequest {
  set: MigrationSet;
  /** For the events. */
  about: { function?: string; revision?: string; actor?: Actor };
  signal?: AbortSignal;
}

export interface Migrating {
  front: Pick<Databases, "migrations" | "migrate">;
  /** Applies what is pending. @throws WrkstError ERR_MIGRATION; nothing was applied, or what was before it stays */
  apply(of: DatabaseRef, request: MigrateRequest): Promise<Migrated>;
  /** Remembers what a version came with. */
  note(notes: { version: string; function: string; database: string; set: MigrationSet }[]): Promise<void>;
  /** The live function, other than this one, whose serving version brings migrations for the database. */
  otherBringer(database: Database, functionId: string): string | undefined;
  /** Names that are applied in an object, whose file that is. */
  appliedIn(place: { object: string; file: string }, table: string): Promise<string[]>;
  /** Names that are applied. */
  appliedNames(database: Database, table?: string): Promise<string[]>;
  setOf(note: MigrationsNote): Promise<MigrationSet>;
  /** One for each database of the version that has migrations which the version does not know. Never rejects. */
  olderThanDatabases(functionId: string, version: Version): Promise<Warning[]>;
}

/** What is to be done to one database, and what of it is done. */
interface Change {
  done: Migrated;
  pending: Migration[];
  request: MigrateRequest;
}

const DEFAULT_TABLE = "d1_migrations";

export function createMigrating(
  context: ContentContext,
  { snapshotting, moving }: { snapshotting: Snapshotting; moving: Moving },
  deps: MigratingDeps,
): Migrating {
  const { runtime, registry, now } = context.deps;
  const { snapshots } = registry;

  const ask = (database: Database, ...statements: D1Statement[]) => askObject(context.object(database), ...statements);

  async function askObject(object: string, ...statements: D1Statement[]): Promise<QueryResult[]> {
    const answer = await runtime.call({ object, statements, isOwn: true });
    if (answer.ok) return answer.results;
    throw new WrkstError("ERR_SQL", answer.error);
  }

  const readApplied = (database: Database, table: string) =>
    readIn({ object: context.object(database), file: context.file(database) }, table);

  async function readIn(
    { object, file }: { object: string; file: string },
    table: string,
  ): Promise<MigrationState["applied"]> {
    if (sizeOf(file) === 0) return [];
    const [found] = await askObject(object, hasTable(table));
    if (!found?.rows.length) return [];
    const [rows] = await askObject(object, listApplied(table));
    return (rows?.rows ?? []).map(([name, at]) => ({ name: String(name), at: String(at) }));
  }

  const appliedNames = async (database: Database, table = DEFAULT_TABLE) =>
    (await readApplied(database, table)).map(({ name }) => name);

  function apply(of: DatabaseRef, request: MigrateRequest): Promise<Migrated> {
    return context.inTurn(of, async (database) => {
      const { set, signal } = request;
      const applied = await appliedNames(database, set.table);
      const pending = pendingOf(set, applied);
      const warnings = await changesOf(database, set, applied);
      const { id, name } = database;
      const done: Migrated = { database: { id, name }, applied: [], snapshot: null, warnings };
      if (!pending.length) return done;
      signal?.throwIfAborted();
      const size = context.size(database);
      if (size > LARGEST_COPY) warnings.push(tooLarge(database, size));
      const change = size > LARGEST_COPY ? changeInPlace : changeByCopy;
      await change(database, { done, pending, request });
      return done;
    });
  }

  async function changeByCopy(database: Database, { done, pending, request }: Change): Promise<void> {
    const { set, signal } = request;
    const names = pending.map(({ name }) => name);
    const { snapshot } = await moving.move(database, {
      ...{ cause: "migration", signal },
      work: (rehearsal, object) => rehearse(rehearsal, object, { set, pending, signal }),
      event: (before) => eventOf(database, { applied: names, snapshot: before?.id ?? null }, request),
    });
    done.snapshot = snapshot?.id ?? null;
    done.applied = names;
  }

  async function changeInPlace(database: Database, { done, pending, request }: Change): Promise<void> {
    done.snapshot = (await snapshotting.take(database, "migration")).id;
    await ask(database, createTable(request.set.table));
    try {
      for (const migration of pending) {
        request.signal?.throwIfAborted();
        await applyOne(database, request, migration);
        done.applied.push(migration.name);
      }
    } finally {
      if (done.applied.length) registry.addEvent(eventOf(database, done, request));
    }
  }

  async function applyOne(database: Database, { set, about }: MigrateRequest, migration: Migration): Promise<void> {
    const start = now();
    const sender = about.function === undefined ? {} : { sender: about.function };
    const script = { object: context.object(database), ...scriptOf(set, migration), ...sender };
    const answer = await runtime.script(script).catch((error: unknown) => {
      if (now() - start < deps.hangTimeout) throw error;
      throw migrationError(set, migration, { error: "it took too long, and the runtime was restarted", offset: 0 });
    });
    if (!answer.ok) throw migrationError(set, migration, answer);
  }

  async function changesOf(database: Database, set: MigrationSet, applied: string[]): Promise<Warning[]> {
    const last = snapshots.migrationsOfDatabase(database.id).find(({ table }) => table === set.table);
    return last ? warnOfChanged(set, await setOf(last), applied) : [];
  }

  function eventOf(
    database: Database,
    { applied, snapshot }: Pick<Migrated, "applied" | "snapshot">,
    { about }: MigrateRequest,
  ): NewEvent {
    const before = snapshot === null ? "" : `; what was there before is ${snapshot}`;
    const message = `the database "${database.name}" was migrated: ${applied.join(", ")}${before}`;
    return { kind: "database.migrated", ...belongingTo(database), message, ...about };
  }

  async function note(
    notes: { version: string; function: string; database: string; set: MigrationSet }[],
  ): Promise<void> {
    const rows = [];
    for (const { set, ...note } of notes) {
      const digest = await deps.artifacts.put(Buffer.from(JSON.stringify(set)));
      rows.push({ ...note, table: set.table, digest });
    }
    if (rows.length) snapshots.noteMigrations(rows);
  }

  async function setOf({ digest }: MigrationsNote): Promise<MigrationSet> {
    return JSON.parse(Buffer.from(await deps.artifacts.get(digest)).toString()) as MigrationSet;
  }

  /** Notes of versions that serve. */
  function serving({ id }: Database): MigrationsNote[] {
    return snapshots.migrationsOfDatabase(id).filter((note) => deps.servingVersion(note.function) === note.version);
  }

  function currentNote(database: Database): MigrationsNote | undefined {
    const notes = serving(database);
    return notes.find((one) => one.function === database.owner) ?? notes[0];
  }

  async function current(database: Database): Promise<MigrationSet | null> {
    const note = currentNote(database);
    return note ? setOf(note) : null;
  }

  async function migrations(of: DatabaseRef) {
    const database = context.expect(of);
    const set = await current(database);
    const table = set?.table ?? snapshots.migrationsOfDatabase(database.id)[0]?.table ?? DEFAULT_TABLE;
    const applied = await readApplied(database, table);
    const names = applied.map(({ name }) => name);
    return { set, applied, pending: set ? pendingOf(set, names).map(({ name }) => name) : [] };
  }

  async function migrate(of: DatabaseRef, by: Actor) {
    const database = context.expect(of);
    const note = currentNote(database);
    if (!note) {
      throw new WrkstError("ERR_NOT_FOUND", `no function that serves brings migrations for "${database.name}"`, {
        hint: 'name their folder by "migrations_dir" in the wrangler file, and push',
      });
    }
    const bringer = registry.routeState().functions.find(({ id }) => id === note.function)?.name;
    const about = { actor: by, ...(bringer === undefined ? {} : { function: bringer }) };
    const { applied, snapshot } = await apply(of, { set: await setOf(note), about });
    return { applied, snapshot };
  }

  async function olderThanDatabases(functionId: string, version: Version): Promise<Warning[]> {
    const bound = Object.values(registry.databases.boundTo(functionId, version.id));
    const ids = new Set(bound.flatMap((database) => database?.id ?? []));
    const warnings = await Promise.all([...ids].map((id) => olderThan(functionId, version, id).catch(() => undefined)));
    return warnings.flatMap((warning) => warning ?? []);
  }

  async function olderThan(functionId: string, version: Version, id: string): Promise<Warning | undefined> {
    const notes = snapshots.migrationsOfDatabase(id).filter((note) => note.function === functionId);
    const own = notes.find((note) => note.version === version.id);
    const database = registry.databases.byId(id);
    // What an upload knows of migrations nobody told.
    if (!notes[0] || !database || (!own && version.upload)) return undefined;
    const set = own ? await setOf(own) : { migrations: [] };
    const newer = beyond(set, await appliedNames(database, (own ?? notes[0]).table));
    if (!newer.length) return undefined;
    const isBefore = (names: string[]) => !newer.some((name) => names.includes(name));
    const snapshot = snapshots.snapshots(id).find((one) => isBefore(one.migrations));
    const back = snapshot ? `; what was there before: wrkst d1 restore ${database.name} ${snapshot.id}` : "";
    const message = `the database "${database.name}" is newer than version ${version.id.slice(0, 8)}: it has ${newer.join(", ")}${back}`;
    return { message };
  }

  return {
    front: { migrations, migrate },
    olderThanDatabases,
    apply,
    note,
    otherBringer: (database, functionId) => serving(database).find((note) => note.function !== functionId)?.function,
    appliedIn: async (place, table) => (await readIn(place, table)).map(({ name }) => name),
    appliedNames,
    setOf,
  };
}

function tooLarge({ name }: Database, size: number): Warning {
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const message = `the migrations of "${name}" were applied without a rehearsal: it has ${mebibytes(size)}, at most ${mebibytes(LARGEST_COPY)} are copied for one`;
  return { message };
}
