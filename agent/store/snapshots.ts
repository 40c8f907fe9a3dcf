// Snapshots of databases, and the migrations that versions came with. A row is written once its file is whole.

import type { DatabaseSnapshot } from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

export interface SnapshotRecord extends DatabaseSnapshot {
  /** Of the object that was copied. */
  epoch: number;
  /** What its file was like. */
  state: string;
}

/** Migrations of a version for one database. */
export interface MigrationsNote {
  version: string;
  function: string;
  database: string;
  /** Table that the database notes them in. */
  table: string;
  /** `sha256:<64 hex>` of a MigrationSet as JSON. */
  digest: string;
}

export interface SnapshotRecords {
  /** Newest first. */
  snapshots(database: string): SnapshotRecord[];
  snapshot(database: string, id: string): SnapshotRecord | undefined;
  /** The newest one of each database. */
  lastSnapshots(): SnapshotRecord[];
  addSnapshot(snapshot: SnapshotRecord): void;
  removeSnapshot(id: string): void;
  /** Those made before the time that are not the newest of their database, and those of databases that are forgotten. */
  expiredSnapshots(before: number): SnapshotRecord[];
  noteMigrations(notes: MigrationsNote[]): void;
  migrationsOfVersion(version: string): MigrationsNote[];
  /** Last noted first. */
  migrationsOfDatabase(database: string): MigrationsNote[];
  /** Digests of all sets, which must be kept. */
  migrationDigests(): string[];
  /** Forgets those of versions that are gone, or never came to be before the time. */
  forgetMigrations(before: number): void;
}

interface Row {
  id: string;
  database_id: string;
  epoch: number;
  at: number;
  cause: DatabaseSnapshot["cause"];
  size: number;
  migrations: string;
  state: string;
}

const NOTE = 'version_id AS version, function_id AS function, database_id AS database, noted_in AS "table", digest';

export function createSnapshots(db: Db, now: () => number): SnapshotRecords {
  const all = db.prepare<[string], Row>("SELECT * FROM snapshots WHERE database_id = ? ORDER BY id DESC");
  const one = db.prepare<[string, string], Row>("SELECT * FROM snapshots WHERE database_id = ? AND id = ?");
  const last = db.prepare<[], Row>("SELECT *, max(id) FROM snapshots GROUP BY database_id");
  const add = db.prepare(
    `INSERT INTO snapshots (id, database_id, epoch, at, cause, size, migrations, state)
     VALUES (@id, @database, @epoch, @at, @cause, @size, @migrations, @state)`,
  );
  const remove = db.prepare("DELETE FROM snapshots WHERE id = ?");
  const expired = db.prepare<[number], Row>(
    `SELECT * FROM snapshots s WHERE database_id NOT IN (SELECT id FROM databases)
       OR (at < ? AND EXISTS (SELECT 1 FROM snapshots n WHERE n.database_id = s.database_id AND n.id > s.id))`,
  );
  const note = db.prepare(
    `INSERT OR REPLACE INTO version_migrations (version_id, database_id, function_id, noted_in, digest, at)
     VALUES (@version, @database, @function, @table, @digest, @at)`,
  );
  const ofVersion = db.prepare<[string], MigrationsNote>(
    `SELECT ${NOTE} FROM version_migrations WHERE version_id = ? ORDER BY database_id`,
  );
  const ofDatabase = db.prepare<[string], MigrationsNote>(
    `SELECT ${NOTE} FROM version_migrations WHERE database_id = ? ORDER BY at DESC, version_id`,
  );
  const digests = db.prepare<[], string>("SELECT DISTINCT digest FROM version_migrations").pluck();
  const forget = db.prepare(
    "DELETE FROM version_migrations WHERE at < ? AND version_id NOT IN (SELECT id FROM versions)",
  );
  const noteAll = db.transaction((notes: MigrationsNote[]) => {
    for (const one of notes) note.run({ ...one, at: now() });
  });

  return {
    snapshots: (database) => all.all(database).map(recordOf),
    snapshot: (database, id) => {
      const row = one.get(database, id);
      return row && recordOf(row);
    },
    lastSnapshots: () => last.all().map(recordOf),
    addSnapshot: (snapshot) => void add.run({ ...snapshot, migrations: JSON.stringify(snapshot.migrations) }),
    removeSnapshot: (id) => void remove.run(id),
    expiredSnapshots: (before) => expired.all(before).map(recordOf),
    noteMigrations: (notes) => noteAll(notes),
    migrationsOfVersion: (version) => ofVersion.all(version),
    migrationsOfDatabase: (database) => ofDatabase.all(database),
    migrationDigests: () => digests.all() as string[],
    forgetMigrations: (before) => void forget.run(before),
  };
}

function recordOf({ database_id, migrations, ...row }: Row): SnapshotRecord {
  const { id, epoch, at, cause, size, state } = row;
  return { id, database: database_id, epoch, at, cause, size, state, migrations: fromJson(migrations) };
}
