// The rows of previews and of their functions, as records. Decides nothing.

import type { ErrorReport } from "../errors.js";
import type { Warning } from "../model.js";
import type { Db } from "./database.js";
import { fromJson, optional, toJson } from "./json.js";

export interface PreviewRecord {
  id: string;
  source: string;
  /** Null: somebody asked for the commit. */
  branch: string | null;
  /** Of a commit: the function that it was asked for. */
  function: string | null;
  /** Of a commit: when somebody asked for it last, milliseconds since 1970. */
  askedAt: number | null;
  /** 40 hex; `""` until something was recorded. */
  commit: string;
  /** Alias on each of its functions; of a commit its 40 hex. */
  label: string;
  /** Digest of what was looked at. */
  handled: string;
  /** Version of every function that it declares, also where it is production's. */
  versions: Record<string, string>;
  error?: ErrorReport;
  /** What its copies lack. */
  warnings: Warning[];
  /** Sorted by name. */
  functions: PreviewFunction[];
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
}

/** A function that differs from production, or failed. */
export interface PreviewFunction {
  name: string;
  functionId: string | null;
  version: string | null;
  /** Binding → id of the database that it has a copy of, or `new:<name>` where production has none. */
  bindings: Record<string, string>;
  /** Whether it gets the secrets of its function. */
  hasSecrets: boolean;
  /** Where only migrations differ from production: a digest of production's at that time. */
  migrates?: string;
  error?: ErrorReport;
}

export interface PreviewRows {
  /** By branch; of all sources where none is given. */
  all(source?: string): PreviewRecord[];
  byId(id: string): PreviewRecord | undefined;
  ofBranch(source: string, branch: string): PreviewRecord | undefined;
  /** The preview of a function at a commit. */
  asked(wanted: AskedPreview): PreviewRecord | undefined;
  add(preview: Pick<PreviewRecord, "id" | "source" | "commit" | "label"> & { branch: string }, at: number): void;
  addAsked(id: string, wanted: AskedPreview, at: number): void;
  /** What failed before is forgotten. */
  askAgain(id: string, handled: string, at: number): void;
  update(preview: PreviewState, at: number): void;
  fail(id: string, failure: { handled: string; error: ErrorReport }, at: number): void;
  warn(id: string, warnings: Warning[]): void;
  remove(id: string): void;
  addFunction(id: string, one: PreviewFunction): void;
  removeFunctions(id: string): void;
  /** Notes since when no preview serves the version, in milliseconds since 1970; null: one does. */
  endVersion(version: string, at: number | null): void;
  /** Whether a preview serves the version. */
  isUsed(version: string): boolean;
}

export interface AskedPreview {
  source: string;
  /** 40 hex. */
  commit: string;
  function: string;
}

/** What changes with the commit of a preview. */
export interface PreviewState
  extends Pick<PreviewRecord, "id" | "commit" | "label" | "handled" | "versions" | "warnings"> {
  error: ErrorReport | undefined;
}

interface PreviewRow {
  id: string;
  source: string;
  branch: string | null;
  commit: string;
  label: string;
  function: string | null;
  asked_at: number | null;
  warnings: string;
  handled: string;
  versions: string;
  error: string | null;
  created_at: number;
  updated_at: number;
}

interface FunctionRow {
  name: string;
  function_id: string | null;
  version_id: string | null;
  bindings: string;
  secrets: number;
  migrates: string | null;
  error: string | null;
}

export function createPreviewRows(db: Db): PreviewRows {
  const all = db.prepare<[string | null], PreviewRow>(
    'SELECT * FROM previews WHERE source = coalesce(?, source) ORDER BY source, branch, "commit"',
  );
  const one = db.prepare<[string], PreviewRow>("SELECT * FROM previews WHERE id = ?");
  const ofBranch = db.prepare<[string, string], PreviewRow>("SELECT * FROM previews WHERE source = ? AND branch = ?");
  const asked = db.prepare<[AskedPreview], PreviewRow>(
    'SELECT * FROM previews WHERE source = @source AND "commit" = @commit AND function = @function AND branch IS NULL',
  );
  const functionsOf = db.prepare<[string], FunctionRow>(
    "SELECT * FROM preview_functions WHERE preview_id = ? ORDER BY name",
  );
  const add = db.prepare(
    `INSERT INTO previews (id, source, branch, "commit", label, created_at, updated_at)
     VALUES (@id, @source, @branch, @commit, @label, @at, @at)`,
  );
  const addAsked = db.prepare(
    `INSERT INTO previews (id, source, branch, "commit", label, function, asked_at, created_at, updated_at)
     VALUES (@id, @source, NULL, @commit, @commit, @function, @at, @at, @at)`,
  );
  const askAgain = db.prepare("UPDATE previews SET asked_at = ?, handled = ?, error = NULL WHERE id = ?");
  const update = db.prepare(
    `UPDATE previews SET "commit" = @commit, label = @label, handled = @handled, versions = @versions, error = @error,
       warnings = @warnings, updated_at = @at WHERE id = @id`,
  );
  const fail = db.prepare("UPDATE previews SET handled = ?, error = ?, updated_at = ? WHERE id = ?");
  const warn = db.prepare("UPDATE previews SET warnings = ? WHERE id = ?");
  const remove = db.prepare("DELETE FROM previews WHERE id = ?");
  const addFunction = db.prepare(
    `INSERT INTO preview_functions (preview_id, name, function_id, version_id, bindings, secrets, migrates, error)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const removeFunctions = db.prepare("DELETE FROM preview_functions WHERE preview_id = ?");
  const endVersion = db.prepare("UPDATE versions SET preview_ended = ? WHERE id = ?");
  const isUsed = db
    .prepare<[string], number>("SELECT EXISTS (SELECT 1 FROM preview_functions WHERE version_id = ?)")
    .pluck();

  const recordOf = (row: PreviewRow) => previewOf(row, functionsOf.all(row.id));
  const found = (row: PreviewRow | undefined) => row && recordOf(row);

  return {
    all: (source) => all.all(source ?? null).map(recordOf),
    byId: (id) => found(one.get(id)),
    ofBranch: (source, branch) => found(ofBranch.get(source, branch)),
    asked: (wanted) => found(asked.get(wanted)),
    add: (preview, at) => void add.run({ ...preview, at }),
    addAsked: (id, wanted, at) => void addAsked.run({ ...wanted, id, at }),
    askAgain: (id, handled, at) => void askAgain.run(at, handled, id),
    update: ({ versions, warnings, error, ...preview }, at) =>
      void update.run({
        ...preview,
        ...{ versions: JSON.stringify(versions), warnings: JSON.stringify(warnings), error: toJson(error), at },
      }),
    fail: (id, { handled, error }, at) => void fail.run(handled, toJson(error), at, id),
    warn: (id, warnings) => void warn.run(JSON.stringify(warnings), id),
    remove: (id) => void remove.run(id),
    addFunction: (id, { name, functionId, version, bindings, hasSecrets, migrates = null, error }) => {
      const found = [JSON.stringify(bindings), Number(hasSecrets), migrates, toJson(error)];
      addFunction.run(id, name, functionId, version, ...found);
    },
    removeFunctions: (id) => void removeFunctions.run(id),
    endVersion: (version, at) => void endVersion.run(at, version),
    isUsed: (version) => isUsed.get(version) !== 0,
  };
}

function previewOf(row: PreviewRow, functions: FunctionRow[]): PreviewRecord {
  const { created_at: createdAt, updated_at: updatedAt, asked_at: askedAt, ...more } = row;
  const { versions, warnings, error, ...rest } = more;
  return {
    ...rest,
    ...{ createdAt, updatedAt, askedAt, versions: fromJson(versions), warnings: fromJson(warnings) },
    functions: functions.map(functionOf),
    ...optional<"error", ErrorReport>("error", error),
  };
}

function functionOf(row: FunctionRow): PreviewFunction {
  const { name, function_id: functionId, version_id: version, bindings, secrets, error } = row;
  return {
    ...{ name, functionId, version, bindings: fromJson(bindings), hasSecrets: secrets === 1 },
    ...(row.migrates === null ? {} : { migrates: row.migrates }),
    ...optional<"error", ErrorReport>("error", error),
  };
}
