// What happened in the databases of this process since the agent last asked. Bounded: of too many objects the first are lost.
import { D1_BUCKETS, D1_SLOWEST, type D1Meta, type D1ObjectStats, type D1Stats } from "./wire.js";

const MAX_OBJECTS = 2_000;
const MAX_SQL = 1_000;

export interface Stats {
  /** A statement that ran, or failed. */
  count(object: string, sql: string, meta: D1Meta | undefined): void;
  /** All since the call before. */
  take(): D1Stats;
}

export function createStats(now: () => number): Stats {
  let objects = new Map<string, D1ObjectStats>();
  const of = (object: string): D1ObjectStats => {
    const found = objects.get(object);
    if (found) return found;
    if (objects.size >= MAX_OBJECTS) objects.delete(objects.keys().next().value!);
    const made = nothing();
    objects.set(object, made);
    return made;
  };
  return {
    count(object, sql, meta) {
      const stats = of(object);
      stats.queries++;
      if (!meta) {
        stats.errors++;
        return;
      }
      if (meta.changed_db || meta.rows_written > 0) stats.writes++;
      stats.rowsRead += meta.rows_read;
      stats.rowsWritten += meta.rows_written;
      stats.milliseconds += meta.duration;
      stats.size = meta.size_after;
      stats.buckets[bucketOf(meta.duration)]!++;
      if (isSlow(stats, meta)) note(stats, sql, meta, now());
    },
    take() {
      const taken = { objects: Object.fromEntries(objects) };
      objects = new Map();
      return taken;
    },
  };
}

function nothing(): D1ObjectStats {
  const buckets = new Array<number>(D1_BUCKETS.length + 1).fill(0);
  return {
    queries: 0,
    writes: 0,
    errors: 0,
    rowsRead: 0,
    rowsWritten: 0,
    milliseconds: 0,
    buckets,
    size: 0,
    slowest: [],
  };
}

function bucketOf(milliseconds: number): number {
  let bucket = 0;
  while (bucket < D1_BUCKETS.length && milliseconds > D1_BUCKETS[bucket]!) bucket++;
  return bucket;
}

/** Whether it belongs to the slowest. */
function isSlow({ slowest }: D1ObjectStats, { duration }: D1Meta): boolean {
  return slowest.length < D1_SLOWEST ? duration >= 1 : duration > slowest.at(-1)!.milliseconds;
}

function note(stats: D1ObjectStats, sql: string, meta: D1Meta, at: number): void {
  const text = shortened(sql);
  const same = stats.slowest.find((entry) => entry.sql === text);
  if (same && same.milliseconds >= meta.duration) return;
  const others = stats.slowest.filter((entry) => entry !== same);
  const entry = { sql: text, milliseconds: meta.duration, rowsRead: meta.rows_read, at };
  stats.slowest = [...others, entry].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, D1_SLOWEST);
}

/** At most 1,000 characters of it, as a text of its own: a mere slice would keep the whole in memory. */
export function shortened(sql: string): string {
  if (sql.length <= MAX_SQL) return sql;
  return new TextDecoder().decode(new TextEncoder().encode(`${sql.slice(0, MAX_SQL)}…`));
}
