// Functions. An id never changes and is never used again; a name belongs to one function until that is forgotten.

import { type ErrorReport, WrkstError } from "../errors.js";
import type { FunctionState, TrafficSplit, Warning } from "../model.js";
import type { Db } from "./database.js";
import { fromJson, toJson } from "./json.js";

export interface FunctionRecord {
  /** UUID. */
  id: string;
  account: string;
  name: string;
  /** Null for a function that no source declares. */
  source: string | null;
  /** Relative to the source's root. */
  folder: string | null;
  state: FunctionState;
  error?: ErrorReport;
  warnings: Warning[];
  /** Custom host → since when it is claimed. */
  hosts: Record<string, number>;
  /** Version that serves, or, of a removed function, that served last. */
  latest: string | null;
  /** Versions that share the traffic of `latest`; null: it has all. */
  split: TrafficSplit | null;
  /** Version that git gave last, serving or held back; null where git never gave one. */
  declared: string | null;
  /** Git declares it no longer, and only a pin keeps it. */
  withdrawn: boolean;
  /** Revision that `latest` came from, in the form of `formatRevision`; null for direct deploys. */
  revision: string | null;
  generation: number;
  createdAt: number;
  updatedAt: number;
  removedAt: number | null;
}

export interface Functions {
  /**
   * Live functions by name, and after them declarations that came second (`name-taken`, they own nothing). Those that did not
   * change are the same objects as in the last answer.
   */
  functions(): FunctionRecord[];
  /** A live function that owns its name. */
  functionByName(name: string): FunctionRecord | undefined;
  functionById(id: string): FunctionRecord | undefined;
  /** Newest removal first. */
  removedFunctions(): FunctionRecord[];
  /** Sets state and error of a live function, for what happens outside a switch: failed, quarantined, ready again. */
  setFunctionState(name: string, state: FunctionState, error?: ErrorReport): void;
  /** Raises the loader generation of a function: its isolates are loaded afresh. */
  bumpFunctionGeneration(name: string): number;
}

interface FunctionRow {
  id: string;
  account: string;
  name: string;
  source: string | null;
  folder: string | null;
  state: FunctionState;
  error: string | null;
  warnings: string;
  hosts: string;
  latest: string | null;
  split: string | null;
  declared: string | null;
  withdrawn: number;
  revision: string | null;
  generation: number;
  created_at: number;
  updated_at: number;
  removed_at: number | null;
}

/** The rows as the switch works on them, removed ones included. */
export interface FunctionRows {
  /** The function that owns the name, live or removed. */
  owner(name: string): FunctionRecord | undefined;
  byId(id: string): FunctionRecord | undefined;
  /** The declaration in this folder that came second. */
  second(source: string, folder: string): FunctionRecord | undefined;
  save(record: FunctionRecord): void;
  forget(id: string): void;
}

export function createFunctions(db: Db, now: () => number): Functions & FunctionRows {
  const live = db.prepare<[], FunctionRow>(
    "SELECT * FROM functions WHERE removed_at IS NULL ORDER BY state = 'name-taken', name",
  );
  const removed = db.prepare<[], FunctionRow>(
    "SELECT * FROM functions WHERE removed_at IS NOT NULL ORDER BY removed_at DESC, name",
  );
  const byName = db.prepare<[string], FunctionRow>("SELECT * FROM functions WHERE name = ? AND state <> 'name-taken'");
  const byId = db.prepare<[string], FunctionRow>("SELECT * FROM functions WHERE id = ?");
  const bySecond = db.prepare<[string, string], FunctionRow>(
    "SELECT * FROM functions WHERE source = ? AND folder = ? AND state = 'name-taken'",
  );
  const save = db.prepare(
    `INSERT INTO functions (id, account, name, source, folder, state, error, warnings, hosts, latest, split,
       declared, withdrawn, revision, generation, created_at, updated_at, removed_at)
     VALUES (@id, @account, @name, @source, @folder, @state, @error, @warnings, @hosts, @latest, @split,
       @declared, @withdrawn, @revision, @generation, @createdAt, @updatedAt, @removedAt)
     ON CONFLICT (id) DO UPDATE SET source = excluded.source, folder = excluded.folder, state = excluded.state,
       error = excluded.error, warnings = excluded.warnings, hosts = excluded.hosts, latest = excluded.latest,
       split = excluded.split, declared = excluded.declared, withdrawn = excluded.withdrawn, revision = excluded.revision, generation = excluded.generation, updated_at = excluded.updated_at,
       removed_at = excluded.removed_at`,
  );
  const forget = db.prepare("DELETE FROM functions WHERE id = ?");

  /** Ids of what was written since all were read. */
  const stale = new Set<string>();
  const record = (row: FunctionRow | undefined) => row && recordOf(row);
  const functionByName = (name: string) => {
    const found = record(byName.get(name));
    return found?.removedAt === null ? found : undefined;
  };
  const saveRecord = (function_: FunctionRecord) => {
    stale.add(function_.id);
    save.run({
      ...function_,
      error: toJson(function_.error),
      warnings: toJson(function_.warnings),
      hosts: toJson(function_.hosts),
      split: function_.split && JSON.stringify(function_.split),
      withdrawn: Number(function_.withdrawn),
    });
  };

  return {
    functions: createLive(db, { all: () => live.all().map(recordOf), byId: (id) => record(byId.get(id)), stale }),
    functionByName,
    functionById: (id) => record(byId.get(id)),
    removedFunctions: () => removed.all().map(recordOf),
    setFunctionState: (name, state, error) => {
      const { error: _, ...kept } = expectFunction(functionByName(name), name);
      saveRecord({ ...kept, state, updatedAt: now(), ...(error ? { error } : {}) });
    },
    bumpFunctionGeneration: (name) => {
      const found = expectFunction(functionByName(name), name);
      saveRecord({ ...found, generation: found.generation + 1, updatedAt: now() });
      return found.generation + 1;
    },
    owner: (name) => record(byName.get(name)),
    byId: (id) => record(byId.get(id)),
    second: (source, folder) => record(bySecond.get(source, folder)),
    save: saveRecord,
    forget: (id) => {
      stale.add(id);
      forget.run(id);
    },
  };
}

interface LiveDeps {
  all(): FunctionRecord[];
  byId(id: string): FunctionRecord | undefined;
  stale: Set<string>;
}

/** Every pass and every status reads all: only what was written is read again. */
function createLive(db: Db, { all, byId, stale }: LiveDeps): () => FunctionRecord[] {
  let known: FunctionRecord[] | undefined;
  return () => {
    // What an open transaction wrote may be taken back.
    if (db.inTransaction && (!known || stale.size)) return all();
    if (known && stale.size) {
      const again = [...stale].flatMap((id) => byId(id) ?? []).filter(({ removedAt }) => removedAt === null);
      known = [...known.filter(({ id }) => !stale.has(id)), ...again].sort(inOrder);
    }
    known ??= all();
    stale.clear();
    return [...known];
  };
}

/** As the statement for all of them orders. */
function inOrder(a: FunctionRecord, b: FunctionRecord): number {
  const [second, other] = [a.state === "name-taken", b.state === "name-taken"];
  if (second !== other) return second ? 1 : -1;
  return a.name < b.name ? -1 : 1;
}

export function expectFunction(found: FunctionRecord | undefined, name: string): FunctionRecord {
  if (found) return found;
  throw new WrkstError("ERR_NOT_FOUND", `there is no function "${name}"`);
}

/** Spelled out, since it runs for every function in every pass. */
function recordOf(row: FunctionRow): FunctionRecord {
  const record: FunctionRecord = {
    id: row.id,
    account: row.account,
    name: row.name,
    source: row.source,
    folder: row.folder,
    state: row.state,
    warnings: fromJson(row.warnings),
    hosts: fromJson(row.hosts),
    latest: row.latest,
    split: row.split === null ? null : fromJson(row.split),
    declared: row.declared,
    withdrawn: row.withdrawn === 1,
    revision: row.revision,
    generation: row.generation,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    removedAt: row.removed_at,
  };
  if (row.error !== null) record.error = fromJson(row.error);
  return record;
}
