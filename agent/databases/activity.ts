// What happened in databases lately, by the hour, in a file of its own: losing it loses nothing that serves. Invariant: a day, of
// at most MOST databases, each with a few statements.
import { D1_BUCKETS, D1_SLOWEST, type D1ObjectStats, type D1Stats } from "../../runtime/d1/wire.js";
import type { DatabaseActivity } from "../model.js";
import { openExpendable } from "../sqlite.js";

export interface Activity {
  /** What happened since the call before. */
  add(stats: D1Stats): void;
  /** Of the last 24 hours, or since the first start. */
  of(database: string): DatabaseActivity;
  close(): void;
}

export interface ActivityOptions {
  now(): number;
  onDamage(message: string): void;
  /** Databases; those that were not used for longest go first. */
  most?: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MOST = 5_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS started (at INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS hours (
    database TEXT NOT NULL,
    hour INTEGER NOT NULL,
    sums TEXT NOT NULL,
    PRIMARY KEY (database, hour)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS hours_hour ON hours (hour);
  CREATE TABLE IF NOT EXISTS slowest (
    database TEXT NOT NULL,
    sql TEXT NOT NULL,
    milliseconds REAL NOT NULL,
    rowsRead INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (database, sql)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS slowest_at ON slowest (at);
`;

type Sums = Omit<DatabaseActivity, "since" | "slowest">;
type Slow = DatabaseActivity["slowest"][number];

export function openActivity(file: string, { now, onDamage, most = MOST }: ActivityOptions): Activity {
  const db = openExpendable(file, { schema: SCHEMA, what: "numbers of databases", onDamage });
  db.prepare("INSERT INTO started SELECT ? WHERE NOT EXISTS (SELECT 1 FROM started)").run(now());
  const since = Number(db.prepare("SELECT at FROM started").pluck().get());
  const select = db
    .prepare<[string, number], string>("SELECT sums FROM hours WHERE database = ? AND hour >= ?")
    .pluck();
  const put = db.prepare("INSERT OR REPLACE INTO hours VALUES (?, ?, ?)");
  const note = db.prepare(
    `INSERT INTO slowest VALUES (@database, @sql, @milliseconds, @rowsRead, @at) ON CONFLICT DO UPDATE
     SET (milliseconds, rowsRead, at) = (excluded.milliseconds, excluded.rowsRead, excluded.at)
     WHERE excluded.milliseconds >= milliseconds`,
  );
  const OF_ONE = "FROM slowest WHERE database = ? ORDER BY milliseconds DESC, sql";
  const slowest = db.prepare<[string], Slow>(`SELECT sql, milliseconds, rowsRead, at ${OF_ONE} LIMIT ${D1_SLOWEST}`);
  const trim = db.prepare(
    `DELETE FROM slowest WHERE database = ? AND sql NOT IN (SELECT sql ${OF_ONE} LIMIT ${D1_SLOWEST})`,
  );
  const forgetHours = db.prepare("DELETE FROM hours WHERE hour < ?");
  const forgetSlow = db.prepare("DELETE FROM slowest WHERE at < ?");
  const surplus = db
    .prepare<[number], string>("SELECT database FROM hours GROUP BY database ORDER BY max(hour) DESC LIMIT -1 OFFSET ?")
    .pluck();
  const dropHours = db.prepare("DELETE FROM hours WHERE database = ?");
  const dropSlow = db.prepare("DELETE FROM slowest WHERE database = ?");
  const firstHour = () => Math.floor(now() / HOUR) - DAY / HOUR + 1;

  function addOne(database: string, { slowest: slow, ...stats }: D1ObjectStats): void {
    const hour = Math.floor(now() / HOUR);
    const before = select.all(database, hour).map((text) => JSON.parse(text as string) as Sums);
    put.run(database, hour, JSON.stringify(sumOf([...before, stats])));
    for (const one of slow) note.run({ database, ...one });
    if (slow.length) trim.run(database, database);
  }

  const addAll = db.transaction(({ objects }: D1Stats) => {
    for (const [object, stats] of Object.entries(objects)) addOne(object.slice(0, object.lastIndexOf(".")), stats);
    forgetHours.run(firstHour());
    forgetSlow.run(firstHour() * HOUR);
    for (const database of surplus.all(most)) {
      dropHours.run(database);
      dropSlow.run(database);
    }
  });

  return {
    add(stats) {
      if (Object.keys(stats.objects).length) addAll(stats);
    },
    of(database) {
      const hours = select.all(database, firstHour()).map((text) => JSON.parse(text as string) as Sums);
      const start = firstHour() * HOUR;
      return {
        since: Math.max(since, start),
        ...sumOf(hours),
        slowest: slowest.all(database).filter(({ at }) => at >= start),
      };
    },
    close: () => void db.close(),
  };
}

function sumOf(parts: Sums[]): Sums {
  const total = (key: Exclude<keyof Sums, "buckets">) => parts.reduce((sum, part) => sum + part[key], 0);
  const bucket = (index: number) => parts.reduce((sum, { buckets }) => sum + (buckets[index] ?? 0), 0);
  return {
    queries: total("queries"),
    writes: total("writes"),
    errors: total("errors"),
    rowsRead: total("rowsRead"),
    rowsWritten: total("rowsWritten"),
    milliseconds: total("milliseconds"),
    buckets: Array.from({ length: D1_BUCKETS.length + 1 }, (_, index) => bucket(index)),
  };
}
