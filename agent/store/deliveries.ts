// Deliveries of webhooks that were handled, so that one that comes again does nothing, also after a restart. Invariant: bounded in
// time and in number.

import type { Db } from "./database.js";

export interface DeliveryRecords {
  /** Whether it was handled, and its time is not over. */
  delivered(key: string): boolean;
  addDelivery(key: string): void;
}

export const DELIVERIES_SCHEMA = `
  -- Source, provider and id of a webhook that was handled.
  CREATE TABLE deliveries (key TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX deliveries_seq ON deliveries (seq);
  CREATE INDEX deliveries_at ON deliveries (at);
`;

/** Milliseconds: longer than any forge offers to deliver again. */
const LIFE = 30 * 86_400_000;
export const MOST_DELIVERIES = 10_000;

export function createDeliveries(db: Db, now: () => number, most = MOST_DELIVERIES): DeliveryRecords {
  const find = db.prepare<[string, number], number>("SELECT 1 FROM deliveries WHERE key = ? AND at > ?").pluck();
  const add = db.prepare<[string, number]>(
    `INSERT INTO deliveries (key, seq, at) VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM deliveries), ?)
     ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, at = excluded.at`,
  );
  const expire = db.prepare("DELETE FROM deliveries WHERE at <= ?");
  const trim = db.prepare("DELETE FROM deliveries WHERE seq <= (SELECT max(seq) FROM deliveries) - ?");
  const addOne = db.transaction((key: string) => {
    add.run(key, now());
    expire.run(now() - LIFE);
    trim.run(most);
  });
  return {
    delivered: (key) => find.get(key, now() - LIFE) !== undefined,
    addDelivery: (key) => addOne.immediate(key),
  };
}
