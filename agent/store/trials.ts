// Versions on trial, one per function at most. Invariant: a trial is begun, moved on and ended in the transaction that moves the
// traffic, so that what is tried is always what serves.

import type { Figures } from "../../runtime/wire.js";
import { shareAt, splitAt, type TrafficSplit, type Trial } from "../model.js";
import type { Db } from "./database.js";
import type { Events, NewEvent } from "./events.js";
import type { FunctionRecord } from "./functions.js";
import { fromJson } from "./json.js";
import type { Settings } from "./settings.js";
import type { Versions } from "./versions.js";

export const TRIALS_SCHEMA = `
  CREATE TABLE trials (
    function_id TEXT PRIMARY KEY REFERENCES functions (id) ON DELETE CASCADE,
    version_id TEXT NOT NULL REFERENCES versions (id) DEFERRABLE INITIALLY DEFERRED,
    before_id TEXT NOT NULL REFERENCES versions (id) DEFERRABLE INITIALLY DEFERRED,
    step INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    stepped_at INTEGER NOT NULL,
    -- JSON of figures; null where they are not known.
    baseline TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX trials_version ON trials (version_id);
  CREATE INDEX trials_before ON trials (before_id);
`;

export interface Trials {
  /** By function id. */
  trials(): Map<string, Trial>;
  trial(functionId: string): Trial | undefined;
  /** Figures of the version before, from before the switch. */
  saveBaseline(functionId: string, baseline: Figures): void;
  /** The version serves on and is tried no more. Nothing, and false, where another one is on trial by now. */
  endTrial(functionId: string, version: string, event: NewEvent): boolean;
}

/** How `latest` comes to a version. */
export interface Approach {
  latest: string;
  split: TrafficSplit | null;
  trial: Trial | undefined;
}

export interface TrialRows {
  /**
   * As the version's manifest says. Another version that is on trial has proven nothing: what served before it is what the
   * new one is compared with, and where the traffic stays or returns to.
   */
  approach(functionId: string, serving: Pick<Approach, "split"> & { latest: string | null }, version: string): Approach;
  /** The trial as it is after a move; undefined: none any more. */
  settleTrial(owner: Owner, trial: Trial | undefined): void;
}

type Owner = Pick<FunctionRecord, "id" | "name" | "account">;

interface TrialRow {
  function_id: string;
  version_id: string;
  before_id: string;
  step: number;
  began_at: number;
  stepped_at: number;
  baseline: string | null;
}

export function createTrials(parts: {
  db: Db;
  now: () => number;
  settings: Settings;
  versions: Pick<Versions, "version">;
  events: Events;
}): Trials & TrialRows {
  const { db, now, settings, versions, events } = parts;
  const all = db.prepare<[], TrialRow>("SELECT * FROM trials");
  const one = db.prepare<[string], TrialRow>("SELECT * FROM trials WHERE function_id = ?");
  const save = db.prepare(
    `INSERT OR REPLACE INTO trials (function_id, version_id, before_id, step, began_at, stepped_at, baseline)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const saveBaseline = db.prepare("UPDATE trials SET baseline = ? WHERE function_id = ?");
  const remove = db.prepare("DELETE FROM trials WHERE function_id = ?");

  const trial = (functionId: string) => {
    const row = one.get(functionId);
    return row && trialOf(row);
  };

  const announce = ({ id: functionId, name, account }: Owner, { version, step }: Trial) => {
    const share = shareAt(step, versions.version(version)?.manifest.gradual);
    const message = `version ${version.slice(0, 8)} of "${name}" is on trial with ${share} % of the traffic`;
    events.addEvent({ kind: "trial.began", function: name, functionId, account, message });
  };
  const end = db.transaction((functionId: string, version: string, event: NewEvent) => {
    if (trial(functionId)?.version !== version) return false;
    remove.run(functionId);
    events.addEvent(event);
    settings.bumpRouteGeneration();
    return true;
  });

  return {
    endTrial: (functionId, version, event) => end.immediate(functionId, version, event),
    trials: () => new Map(all.all().map((row) => [row.function_id, trialOf(row)])),
    trial,
    saveBaseline: (functionId, baseline) => void saveBaseline.run(JSON.stringify(baseline), functionId),
    approach(functionId, serving, version) {
      const present = trial(functionId);
      if (present?.version === version) return { ...serving, latest: serving.latest ?? version, trial: present };
      const manifest = versions.version(version)?.manifest;
      const gradual = manifest?.gradual;
      const isUnproven = present !== undefined && (serving.split !== null || gradual === undefined);
      const before = isUnproven ? present.before : serving.latest;
      const isTried = gradual !== undefined || manifest?.autoRollback !== undefined;
      if (!isTried || before === null || before === version) return { latest: version, split: null, trial: undefined };
      const at = now();
      const baseline = isUnproven && present.baseline ? { baseline: present.baseline } : {};
      const begun: Trial = { version, before, step: 0, beganAt: at, steppedAt: at, ...baseline };
      return { ...splitAt(begun, gradual), trial: begun };
    },
    settleTrial(owner, wanted) {
      const { id: functionId } = owner;
      if (!wanted) return void remove.run(functionId);
      if (trial(functionId)?.version !== wanted.version) announce(owner, wanted);
      const { version, before, step, beganAt, steppedAt, baseline } = wanted;
      const json = baseline === undefined ? null : JSON.stringify(baseline);
      save.run(functionId, version, before, step, beganAt, steppedAt, json);
    },
  };
}

function trialOf(row: TrialRow): Trial {
  return {
    version: row.version_id,
    before: row.before_id,
    step: row.step,
    beganAt: row.began_at,
    steppedAt: row.stepped_at,
    ...(row.baseline === null ? {} : { baseline: fromJson<Figures>(row.baseline) }),
  };
}
