// Receivers of notifications, and the events that each is still to be told. Invariant: what waits is written with its event, in
// one transaction; it is bounded for each receiver, and the oldest goes first.

import { randomUUID } from "node:crypto";
import {
  isHeard,
  type NotificationDetail,
  type NotificationSettings,
  type PlatformEvent,
  type ReceiverKind,
  type SealedSecrets,
  type ToldEvent,
  toldEvent,
} from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

export interface NotificationRecords {
  /** By name. */
  list(): NotificationDetail[];
  find(name: string): NotificationDetail | undefined;
  secrets(name: string): SealedSecrets;
  /** Creates or replaces it; what waits stays. */
  save(name: string, settings: NotificationSettings, secrets: SealedSecrets): void;
  /** Answers whether there was one. What waits for it goes too. */
  remove(name: string): boolean;
  /** Hears of what is written. */
  listen(listener: QueueListener): void;
  /** What each receiver is to be told first, where that is due. */
  due(now: number): DeliveryRecord[];
  nextAt(now: number): number | undefined;
  /** The oldest that wait for the receiver, in order. */
  waiting(receiver: string, most: number): DeliveryRecord[];
  /** An attempt is made with these. */
  begin(rows: DeliveryRecord[]): void;
  again(rows: DeliveryRecord[], at: number): void;
  /** They were taken, or never will be for that reason. `rest`: milliseconds until the receiver is told more. */
  end(rows: DeliveryRecord[], ended: { problem?: string | undefined; rest?: number }): void;
}

export interface QueueListener {
  queued(): void;
  /** More than may wait: the oldest were forgotten. */
  dropped(kind: ReceiverKind, count: number): void;
}

export interface DeliveryRecord {
  seq: number;
  receiver: string;
  /** The same at every attempt. */
  id: string;
  event: ToldEvent;
  /** Milliseconds since 1970. */
  at: number;
  attempts: number;
}

export const NOTIFICATIONS_SCHEMA = `
  CREATE TABLE receivers (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    -- Sealed, by name.
    secrets TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    problem TEXT,
    -- It is told nothing before.
    rests_until INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL REFERENCES receivers (name) ON DELETE CASCADE,
    id TEXT NOT NULL,
    event TEXT NOT NULL,
    at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX letters_receiver ON letters (receiver, seq);
`;

/** Events that may wait for one receiver. */
export const MOST_WAITING = 1_000;
/** Milliseconds: what is longer is from before the clock was set back. */
const LONGEST_REST = 60_000;
/** Milliseconds: nothing waits longer, unless the clock was set back. */
const LONGEST_WAIT = 2 * 86_400_000;

interface ReceiverRow {
  name: string;
  settings: string;
  secrets: string;
  created_at: number;
  sent_at: number | null;
  problem: string | null;
  waiting: number;
}

type DeliveryRow = Omit<DeliveryRecord, "event"> & { event: string };

export function createNotifications(
  db: Db,
  now: () => number,
): NotificationRecords & { queue(event: PlatformEvent): void } {
  const receivers = createReceivers(db, now);
  return { ...receivers, ...createQueue(db, now, receivers), ...createDeliveries(db, now) };
}

type Receivers = Pick<NotificationRecords, "list" | "find" | "secrets" | "save" | "remove">;

function createReceivers(db: Db, now: () => number): Receivers {
  const select = "SELECT *, (SELECT count(*) FROM letters WHERE receiver = name) AS waiting FROM receivers";
  const all = db.prepare<[], ReceiverRow>(`${select} ORDER BY name`);
  const one = db.prepare<[string], ReceiverRow>(`${select} WHERE name = ?`);
  const save = db.prepare(
    `INSERT INTO receivers (name, settings, secrets, created_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, secrets = excluded.secrets, problem = NULL`,
  );
  const remove = db.prepare("DELETE FROM receivers WHERE name = ?");
  return {
    list: () => all.all().map(detailOf),
    find(name) {
      const row = one.get(name);
      return row && detailOf(row);
    },
    secrets: (name) => fromJson<SealedSecrets>(one.get(name)?.secrets ?? "{}"),
    save: (name, settings, secrets) => void save.run(name, JSON.stringify(settings), JSON.stringify(secrets), now()),
    remove: (name) => remove.run(name).changes > 0,
  };
}

function detailOf({ name, settings, created_at: createdAt, sent_at: sentAt, problem, waiting }: ReceiverRow) {
  return {
    ...fromJson<NotificationSettings>(settings),
    ...{ name, createdAt, waiting },
    ...(sentAt === null ? {} : { sentAt }),
    ...(problem === null ? {} : { problem }),
  };
}

function createQueue(db: Db, now: () => number, { list }: Receivers) {
  const add = db.prepare(
    `INSERT INTO letters (receiver, id, event, at, next_at)
     SELECT name, @id, @event, @at, CASE WHEN rests_until BETWEEN @at AND @at + ${LONGEST_REST} THEN rests_until ELSE @at END
     FROM receivers WHERE name = @receiver`,
  );
  const trim = db.prepare(
    `DELETE FROM letters WHERE receiver = @receiver AND seq <=
       (SELECT seq FROM letters WHERE receiver = @receiver ORDER BY seq DESC LIMIT 1 OFFSET ${MOST_WAITING})`,
  );
  let listener: QueueListener | undefined;

  function queue(event: PlatformEvent): void {
    const hearing = list().filter((receiver) => isHeard(receiver, event));
    const text = hearing.length ? JSON.stringify(toldEvent(event)) : "";
    for (const { name, kind } of hearing) {
      add.run({ receiver: name, id: `evt_${randomUUID()}`, event: text, at: now() });
      const dropped = trim.run({ receiver: name }).changes;
      if (dropped) listener?.dropped(kind, dropped);
    }
    if (hearing.length) listener?.queued();
  }

  return {
    queue,
    listen(given: QueueListener) {
      listener = given;
    },
  };
}

type Deliveries = Pick<NotificationRecords, "due" | "nextAt" | "waiting" | "begin" | "again" | "end">;

function createDeliveries(db: Db, now: () => number): Deliveries {
  const heads = "FROM letters WHERE seq IN (SELECT min(seq) FROM letters GROUP BY receiver)";
  const columns = "seq, receiver, id, event, at, attempts";
  const due = db.prepare<[{ now: number }], DeliveryRow>(
    `SELECT ${columns} ${heads} AND (next_at <= @now OR next_at > @now + ${LONGEST_WAIT}) ORDER BY next_at, seq`,
  );
  const nextAt = db.prepare<[number], number | null>(`SELECT min(next_at) ${heads} AND next_at > ?`).pluck();
  const waiting = db.prepare<[string, number], DeliveryRow>(
    `SELECT ${columns} FROM letters WHERE receiver = ? ORDER BY seq LIMIT ?`,
  );
  const begin = db.prepare("UPDATE letters SET attempts = attempts + 1 WHERE seq = ?");
  const again = db.prepare("UPDATE letters SET next_at = ? WHERE seq = ?");
  const remove = db.prepare("DELETE FROM letters WHERE seq = ?");
  const note = db.prepare(
    "UPDATE receivers SET problem = @problem, sent_at = coalesce(@sentAt, sent_at) WHERE name = @receiver",
  );
  const rest = db.prepare("UPDATE receivers SET rests_until = @at WHERE name = @receiver");
  const hold = db.prepare("UPDATE letters SET next_at = @at WHERE receiver = @receiver AND next_at < @at");
  return {
    due: (time) => due.all({ now: time }).map(deliveryOf),
    nextAt: (time) => nextAt.get(time) ?? undefined,
    waiting: (receiver, most) => waiting.all(receiver, most).map(deliveryOf),
    begin: db.transaction((rows: DeliveryRecord[]) => {
      for (const { seq } of rows) begin.run(seq);
    }),
    again: db.transaction((rows: DeliveryRecord[], at: number) => {
      for (const { seq } of rows) again.run(Math.round(at), seq);
    }),
    end: db.transaction((rows: DeliveryRecord[], ended: { problem?: string | undefined; rest?: number }) => {
      for (const { seq } of rows) remove.run(seq);
      const { problem } = ended;
      for (const receiver of new Set(rows.map((row) => row.receiver))) {
        note.run({ receiver, problem: problem ?? null, sentAt: problem === undefined ? now() : null });
        if (!ended.rest) continue;
        const at = now() + ended.rest;
        rest.run({ receiver, at });
        hold.run({ receiver, at });
      }
    }),
  };
}

function deliveryOf(row: DeliveryRow): DeliveryRecord {
  return { ...row, event: fromJson<ToldEvent>(row.event) };
}
