// Copies of databases that versions which never served have for themselves. A row outlives what it speaks of until its file is gone.

import { objectName } from "../../runtime/d1/wire.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";
import type { Settings } from "./settings.js";

export interface CopyRecord {
  /** Names its object, as the id of a database does. */
  id: string;
  version: string;
  database: string;
  function: string;
  /** Only what is ready has a version lead to it. */
  state: "making" | "ready" | "leaving";
  /** Milliseconds since 1970. */
  madeAt: number;
  /** Migrations that its preview applied to it. */
  applied: AppliedMigration[];
}

export interface AppliedMigration {
  /** That brought it. */
  function: string;
  table: string;
  name: string;
  /** SHA-256 of its text, hex. */
  digest: string;
}

/** What changes routes raises their generation; the caller publishes. */
export interface CopyRecords {
  all(): CopyRecord[];
  /** Before its file is made. */
  begin(copy: Pick<CopyRecord, "version" | "database" | "function"> & { applied?: AppliedMigration[] }): CopyRecord;
  /** As `begin`, of what is to take the place of a copy that is ready. */
  beginNext(copy: CopyRecord, applied: AppliedMigration[]): CopyRecord;
  /** Their files are in place. */
  ready(ids: string[]): void;
  /** The next one is in place, and the copy leaves. */
  succeed(copy: CopyRecord, next: CopyRecord): void;
  /** Nothing leads to them from the next publication on. */
  leave(ids: string[]): void;
  /** Its file is gone. */
  forget(id: string): void;
}

/** Object that holds a copy; there is never another one of it. */
export function copyObject(id: string): string {
  return objectName(id, COPY_EPOCH);
}
export const COPY_EPOCH = 1;

export function createCopies(deps: {
  db: Db;
  now: () => number;
  newId: () => string;
  settings: Settings;
}): CopyRecords {
  const { db, now, newId, settings } = deps;
  const all = db.prepare<[], Omit<CopyRecord, "applied"> & { applied: string }>(
    `SELECT id, version_id AS version, database_id AS database, function_id AS function, state, made_at AS madeAt, applied
     FROM version_copies ORDER BY made_at, id`,
  );
  const add = db.prepare(
    `INSERT INTO version_copies (id, version_id, database_id, function_id, state, made_at, applied)
     VALUES (@id, @version, @database, @function, @state, @madeAt, @applied)`,
  );
  const turn = db.prepare("UPDATE version_copies SET state = ? WHERE id = ?");
  const rename = db.prepare("UPDATE version_copies SET database_id = ? WHERE id = ?");
  const forget = db.prepare("DELETE FROM version_copies WHERE id = ?");
  const turnAll = db.transaction((ids: string[], state: CopyRecord["state"]) => {
    for (const id of ids) turn.run(state, id);
    settings.bumpRouteGeneration();
  });

  function begin({ applied = [], ...copy }: Parameters<CopyRecords["begin"]>[0]): CopyRecord {
    const record: CopyRecord = { ...copy, id: newId(), state: "making", madeAt: now(), applied };
    add.run({ ...record, applied: JSON.stringify(applied) });
    return record;
  }

  function succeed({ id, database }: CopyRecord, next: CopyRecord): void {
    turn.run("leaving", id);
    rename.run(database, next.id);
    turn.run("ready", next.id);
    settings.bumpRouteGeneration();
  }

  return {
    all: () => all.all().map(({ applied, ...copy }) => ({ ...copy, applied: fromJson(applied) })),
    begin,
    // A name of its own, since of each database one copy is not on its way out.
    beginNext: ({ version, database, function: owner }, applied) =>
      begin({ version, database: `next:${database}`, function: owner, applied }),
    succeed: db.transaction(succeed).immediate,
    ready: (ids) => turnAll.immediate(ids, "ready"),
    leave: (ids) => turnAll.immediate(ids, "leaving"),
    forget: (id) => void forget.run(id),
  };
}
