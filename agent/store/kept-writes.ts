// What became of writes that carried an `Idempotency-Key`. Invariant: a write is noted before it begins; what is kept is bounded
// in time, and in number and bytes for each account.

import type { Db } from "./database.js";

/** `begun`: it runs, or what did it stopped meanwhile. `secret`, `rows`, `large`: it was done, and its answer is not kept. */
export type WriteOutcome = "begun" | "kept" | "secret" | "rows" | "large";

export interface WriteRef {
  /** Who wrote. */
  subject: string;
  key: string;
}

export interface NotedWrite {
  /** Digest of the request. */
  request: string;
  outcome: WriteOutcome;
  /** JSON of the caller's own; null unless it is kept. */
  answer: string | null;
}

export interface WriteRecords {
  /** Undefined where the key is new, or its time is over. */
  write(ref: WriteRef): NotedWrite | undefined;
  beginWrite(ref: WriteRef & { account: string; request: string }): void;
  endWrite(ref: WriteRef, ended: { outcome: Exclude<WriteOutcome, "begun">; answer: string | null }): void;
  /** The write failed: the key may be used again. */
  dropWrite(ref: WriteRef): void;
}

/** Milliseconds that a key is remembered. */
const LIFE = 24 * 3_600_000;
/** Of one account; the oldest go first. */
const MOST_WRITES = 1_000;
const MOST_BYTES = 16 * 2 ** 20;

export function createWrites(db: Db, now: () => number): WriteRecords {
  const find = db.prepare<[string, string, number], NotedWrite>(
    "SELECT request, outcome, answer FROM kept_writes WHERE subject = ? AND key = ? AND at > ?",
  );
  const expire = db.prepare("DELETE FROM kept_writes WHERE at <= ?");
  const begin = db.prepare(
    `INSERT INTO kept_writes (subject, key, account, request, at, outcome)
     VALUES (@subject, @key, @account, @request, @at, 'begun')`,
  );
  const trim = db.prepare(
    `DELETE FROM kept_writes WHERE seq IN (SELECT seq FROM (
       SELECT seq, row_number() OVER newest AS number, sum(coalesce(length(answer), 0)) OVER newest AS bytes
       FROM kept_writes WHERE account = ? WINDOW newest AS (ORDER BY seq DESC))
     WHERE number > ${MOST_WRITES} OR bytes > ${MOST_BYTES})`,
  );
  const end = db
    .prepare<[string, string | null, string, string], string>(
      "UPDATE kept_writes SET outcome = ?, answer = ? WHERE subject = ? AND key = ? RETURNING account",
    )
    .pluck();
  const drop = db.prepare("DELETE FROM kept_writes WHERE subject = ? AND key = ?");
  const beginOne = db.transaction((added: WriteRef & { account: string; request: string }) => {
    const at = now();
    expire.run(at - LIFE);
    begin.run({ ...added, at });
    trim.run(added.account);
  });
  const endOne = db.transaction((ref: WriteRef, outcome: WriteOutcome, answer: string | null) => {
    const account = end.get(outcome, answer, ref.subject, ref.key);
    if (account !== undefined) trim.run(account);
  });

  return {
    write: ({ subject, key }) => find.get(subject, key, now() - LIFE),
    beginWrite: (added) => beginOne.immediate(added),
    endWrite: (ref, { outcome, answer }) => endOne.immediate(ref, outcome, answer),
    dropWrite: ({ subject, key }) => void drop.run(subject, key),
  };
}
