// What happened in databases lately, summed by the hour. In memory only: it says how things go, and a restart begins anew.
// Invariant: a day of at most MOST databases, each with a few statements.
import { D1_SLOWEST, type D1ObjectStats, type D1Stats } from "../../runtime/d1/wire.js";
import type { DatabaseActivity } from "../model.js";

export interface Activity {
  /** What happened since the call before. */
  add(stats: D1Stats): void;
  /** Of the last 24 hours, or since the start. */
  of(database: string): DatabaseActivity;
}

const HOUR = 3_600_000;
const HOURS = 24;
/** Those that were not used for longest go first. */
const MOST = 5_000;

type Hour = Omit<DatabaseActivity, "since">;

export function createActivity(now: () => number): Activity {
  const since = now();
  /** By database, then by hour since 1970. */
  const kept = new Map<string, Map<number, Hour>>();

  function addOne(database: string, stats: D1ObjectStats): void {
    const hours = kept.get(database) ?? new Map<number, Hour>();
    kept.delete(database);
    kept.set(database, hours);
    const hour = Math.floor(now() / HOUR);
    hours.set(hour, sumOf([...(hours.has(hour) ? [hours.get(hour)!] : []), stats]));
    for (const old of hours.keys()) if (old <= hour - HOURS) hours.delete(old);
    if (kept.size > MOST) kept.delete(kept.keys().next().value!);
  }

  return {
    add({ objects }) {
      for (const [object, stats] of Object.entries(objects)) addOne(object.slice(0, object.lastIndexOf(".")), stats);
    },
    of(database) {
      const first = Math.floor(now() / HOUR) - HOURS + 1;
      const hours = [...(kept.get(database) ?? [])].filter(([hour]) => hour >= first).map(([, hour]) => hour);
      return { since: Math.max(since, first * HOUR), ...sumOf(hours) };
    },
  };
}

function sumOf(parts: Hour[]): Hour {
  const total = (key: Exclude<keyof Hour, "slowest">) => parts.reduce((sum, part) => sum + part[key], 0);
  const slowest = parts.flatMap((part) => part.slowest).sort((a, b) => b.milliseconds - a.milliseconds);
  return {
    queries: total("queries"),
    errors: total("errors"),
    rowsRead: total("rowsRead"),
    rowsWritten: total("rowsWritten"),
    milliseconds: total("milliseconds"),
    slowest: slowest.slice(0, D1_SLOWEST),
  };
}
