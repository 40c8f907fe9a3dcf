// Single values of the registry by key, and the generation of the routes, which only ever ascends.

import type { Db } from "./database.js";

export interface Settings {
  setting(key: string): string | undefined;
  setSetting(key: string, value: string): void;
  deleteSetting(key: string): void;
  routeGeneration(): number;
  /** Raises the generation of the routes and answers the new one. */
  bumpRouteGeneration(): number;
}

const ROUTE_GENERATION = "route.generation";

export function createSettings(db: Db): Settings {
  const read = db.prepare<[string], string>("SELECT value FROM settings WHERE key = ?").pluck();
  const write = db.prepare("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)");
  const remove = db.prepare("DELETE FROM settings WHERE key = ?");
  const bump = db
    .prepare<[string], number>(
      `INSERT INTO settings (key, value) VALUES (?, '1')
       ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)
       RETURNING CAST(value AS INTEGER)`,
    )
    .pluck();
  return {
    setting: (key) => read.get(key) as string | undefined,
    setSetting: (key, value) => void write.run(key, value),
    deleteSetting: (key) => void remove.run(key),
    routeGeneration: () => Number(read.get(ROUTE_GENERATION) ?? 0),
    bumpRouteGeneration: () => Number(bump.get(ROUTE_GENERATION)),
  };
}
