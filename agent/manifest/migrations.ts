// Reads the migrations that a declaration brings for its databases, from the commit. Executes nothing; never reads SQL.

import { posix } from "node:path";
import { WrkstError } from "../errors.js";
import type { D1Binding, Declaration, Migration, MigrationSet, Snapshot } from "../model.js";

/** Bytes of all migrations of one function: they are sent and kept as one. */
export const MAX_MIGRATIONS_SIZE = 16 * 2 ** 20;
/** What `wrangler` calls its table. */
export const DEFAULT_TABLE = "d1_migrations";
const DEFAULT_FOLDER = "migrations";

/** What a declaration brings, and all that it depends on: folders outside the function's own tell of new and changed files. */
export interface MigrationsReading {
  sets: MigrationSet[];
  /** Paths, relative to the source's root, of files and folders that were read. */
  files: string[];
  folders: string[];
}

/**
 * Sets of the entries that have a folder of migrations, in the order of the entries.
 * @throws WrkstError ERR_MANIFEST for two entries on one folder, a folder that is not there or leaves the repository, text
 * that is no UTF-8, and too much of it
 */
export async function readMigrations(snapshot: Snapshot, declaration: Declaration): Promise<MigrationsReading> {
  const reading: MigrationsReading = { sets: [], files: [], folders: [] };
  const entries = declaration.manifest?.d1Databases ?? [];
  const places = entries.flatMap((entry) => placeOf(declaration, entry, entries.length === 1) ?? []);
  refuseSharedFolders(declaration, places);
  let left = MAX_MIGRATIONS_SIZE;
  for (const { entry, folder } of places) {
    const names = await namesIn(snapshot, declaration, entry, folder);
    reading.folders.push(folder);
    if (!names.length) continue;
    const migrations: Migration[] = [];
    for (const name of names) {
      const file = posix.join(folder, name);
      const bytes = (await snapshot.read(file)) ?? new Uint8Array();
      left -= bytes.length;
      if (left < 0) fail(file, `expected at most ${MAX_MIGRATIONS_SIZE} bytes of migrations in a function`);
      migrations.push({ name, sql: decode(bytes, file) });
      reading.files.push(file);
    }
    const { binding, migrationsTable = DEFAULT_TABLE } = entry;
    reading.sets.push({ binding, folder, table: migrationsTable, migrations });
  }
  return reading;
}

interface Place {
  entry: D1Binding;
  folder: string;
}

function placeOf({ folder, file }: Declaration, entry: D1Binding, isOnly: boolean): Place | undefined {
  const named = entry.migrationsDir ?? (isOnly ? DEFAULT_FOLDER : undefined);
  if (named === undefined) return undefined;
  const path = posix.join(folder, named).replace(/\/$/, "");
  if (path === ".." || path.startsWith("../") || posix.isAbsolute(named)) {
    fail(file, `expected "migrations_dir" to lie inside the repository, received "${named}"`);
  }
  return { entry, folder: path === "." ? "" : path };
}

function refuseSharedFolders({ file }: Declaration, places: Place[]): void {
  for (const [index, { entry, folder }] of places.entries()) {
    const other = places.slice(0, index).find((place) => place.folder === folder);
    if (!other) continue;
    const names = `"${other.entry.binding}" and "${entry.binding}"`;
    fail(
      file,
      `the databases ${names} have one folder of migrations, "${folder}"`,
      'give each its own "migrations_dir"',
    );
  }
}

async function namesIn(
  snapshot: Snapshot,
  { file }: Declaration,
  { migrationsDir }: D1Binding,
  folder: string,
): Promise<string[]> {
  const entries = await snapshot.list(folder);
  if (!entries && migrationsDir !== undefined) {
    fail(file, `the folder of migrations "${folder}" does not exist`, 'add it, or correct "migrations_dir"');
  }
  const names = (entries ?? []).filter(({ kind, name }) => kind !== "folder" && name.endsWith(".sql"));
  return inOrder(names.map(({ name }) => name));
}

/** As wrangler applies them: by the number that a name begins with, then by name. */
export function inOrder(names: string[]): string[] {
  const number = (name: string) => Number.parseInt(name.split("_")[0] ?? "", 10);
  return [...names].sort().sort((a, b) => {
    const [first, second] = [number(a), number(b)];
    return first < second ? -1 : first > second ? 1 : 0;
  });
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return fail(file, "expected UTF-8 text");
  }
}

function fail(file: string, message: string, hint?: string): never {
  throw new WrkstError("ERR_MANIFEST", message, { position: { file }, hint });
}
