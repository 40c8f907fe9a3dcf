// Pins that repositories declare, as the last switch left them: below every hold of a person, and never a row of theirs.

import { WrkstError } from "../errors.js";
import { placeOf, type StandingPin } from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

export interface DeclaredPins {
  /** Of one function, by alias. */
  declaredPins(functionId: string): StandingPin[];
  declaredPin(functionId: string, alias: string): StandingPin | undefined;
  /** Ids of the functions that have any. */
  pinnedFunctions(): Set<string>;
  /** Those on `latest` of all functions, by function id. */
  declaredPinsOfLatest(): Map<string, StandingPin>;
}

export interface DeclaredPinRows {
  /** Replaces all of the function; one that leads where it led keeps its date. */
  savePins(functionId: string, source: string, pins: Omit<StandingPin, "createdAt">[], at: number): void;
  deletePins(functionId: string): void;
}

export const DECLARED_PINS_SCHEMA = `
  CREATE TABLE declared_pins (
    function_id TEXT NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    alias TEXT NOT NULL,
    source TEXT NOT NULL,
    ref TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    version_id TEXT NOT NULL REFERENCES versions (id),
    position TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (function_id, alias)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX declared_pins_version ON declared_pins (version_id);
`;

interface PinRow {
  function_id: string;
  alias: string;
  ref: string;
  commit: string;
  version_id: string;
  position: string;
  created_at: number;
}

export function createDeclaredPins(db: Db): DeclaredPins & DeclaredPinRows {
  const ofFunction = db.prepare<[string], PinRow>("SELECT * FROM declared_pins WHERE function_id = ? ORDER BY alias");
  const ofLatest = db.prepare<[], PinRow>("SELECT * FROM declared_pins WHERE alias = 'latest'");
  const owners = db.prepare<[], string>("SELECT DISTINCT function_id FROM declared_pins").pluck();
  const save = db.prepare(
    `INSERT INTO declared_pins (function_id, alias, source, ref, "commit", version_id, position, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare("DELETE FROM declared_pins WHERE function_id = ?");

  const declaredPins = (functionId: string) => ofFunction.all(functionId).map(pinOf);

  return {
    declaredPins,
    declaredPin: (functionId, alias) => declaredPins(functionId).find((pin) => pin.alias === alias),
    pinnedFunctions: () => new Set(owners.all() as string[]),
    declaredPinsOfLatest: () => new Map(ofLatest.all().map((row) => [row.function_id, pinOf(row)])),
    savePins(functionId, source, pins, at) {
      const before = declaredPins(functionId);
      remove.run(functionId);
      for (const { alias, ref, commit, version, position } of pins) {
        const same = before.find((pin) => pin.alias === alias && pin.ref === ref && pin.version === version);
        save.run(functionId, alias, source, ref, commit, version, JSON.stringify(position), same?.createdAt ?? at);
      }
    },
    deletePins: (functionId) => void remove.run(functionId),
  };
}

function pinOf(row: PinRow): StandingPin {
  const { alias, ref, commit, version_id: version, created_at: createdAt } = row;
  return { alias, ref, commit, version, position: fromJson(row.position), createdAt };
}

/** Why nobody releases or moves by hand what the repository holds. */
export function pinnedByRepository(
  name: string,
  { alias, position }: Pick<StandingPin, "alias" | "position">,
): WrkstError {
  const flag = alias === "latest" ? "" : ` --alias ${alias}`;
  return new WrkstError(
    "ERR_GIT_OWNED",
    `"${alias}" of "${name}" is pinned by the repository, in ${placeOf(position)}`,
    {
      hint: `change that line and push, or hold it elsewhere by hand, which wins: wrkst pin${flag} <version>`,
      position,
    },
  );
}
