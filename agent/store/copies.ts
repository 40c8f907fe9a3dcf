// Copies of databases that versions which never served have for themselves. A row outlives what it speaks of until its file is gone.

import { objectName } from "../../runtime/d1/wire.js";
import type { Db } from "./database.js";
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
}

/** What changes routes raises their generation; the caller publishes. */
export interface CopyRecords {
  all(): CopyRecord[];
  /** Before its file is made. */
  begin(copy: Pick<CopyRecord, "version" | "database" | "function">): CopyRecord;
  /** Their files are in place. */
  ready(ids: string[]): void;
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
  const all = db.prepare<[], CopyRecord>(
    `SELECT id, version_id AS version, database_id AS database, function_id AS function, state, made_at AS madeAt
     FROM version_copies ORDER BY made_at, id`,
  );
  const add = db.prepare(
    `INSERT INTO version_copies (id, version_id, database_id, function_id, state, made_at)
     VALUES (@id, @version, @database, @function, @state, @madeAt)`,
  );
  const turn = db.prepare("UPDATE version_copies SET state = ? WHERE id = ?");
  const forget = db.prepare("DELETE FROM version_copies WHERE id = ?");
  const turnAll = db.transaction((ids: string[], state: CopyRecord["state"]) => {
    for (const id of ids) turn.run(state, id);
    settings.bumpRouteGeneration();
  });

  return {
    all: () => all.all(),
    begin(copy) {
      const record: CopyRecord = { ...copy, id: newId(), state: "making", madeAt: now() };
      add.run(record);
      return record;
    },
    ready: (ids) => turnAll.immediate(ids, "ready"),
    leave: (ids) => turnAll.immediate(ids, "leaving"),
    forget: (id) => void forget.run(id),
  };
}
