// Holds of people on aliases. One per alias, a suspension stands under the name for all of them; an expired one is not
// answered any more, whoever takes it away.

import { EVERY_ALIAS, type Hold } from "../model.js";
import type { Db } from "./database.js";

export interface Holds {
  /** Of one function, by alias. */
  holds(functionId: string): Hold[];
  hold(functionId: string, alias: string): Hold | undefined;
  /** Holds on `latest` of all functions, by function id. */
  latestHolds(): Map<string, Hold>;
  suspension(functionId: string): Hold | undefined;
  suspensions(): Map<string, Hold>;
  /** What keeps git from moving `latest`, by function id: a suspension, otherwise a hold on `latest`. */
  holdsOnGit(): Map<string, Hold>;
  /** Ids of the functions that have the setting of `waitingKey`. */
  waitingFunctions(): Set<string>;
  /** Holds whose time is over, and the earliest end of the others, in milliseconds since 1970. */
  expiredHolds(): { expired: { functionId: string; alias: string }[]; next: number | undefined };
}

const WAITING = "migrations.wait.";

/** Setting: a person held back a version of the function that may bring migrations, so that its next pass must look. */
export function waitingKey(functionId: string): string {
  return WAITING + functionId;
}

export interface HoldRows {
  saveHold(functionId: string, hold: Hold): void;
  /** Expired or not. */
  deleteHold(functionId: string, alias: string): boolean;
}

interface HoldRow {
  function_id: string;
  alias: string;
  kind: Hold["kind"];
  version_id: string;
  rejected: string | null;
  reason: string | null;
  author: string;
  created_at: number;
  expires_at: number | null;
  offline: number;
}

const LIVE = "(expires_at IS NULL OR expires_at > ?)";

export function createHolds(db: Db, now: () => number): Holds & HoldRows {
  const ofFunction = db.prepare<[string, number], HoldRow>(
    `SELECT * FROM holds WHERE function_id = ? AND ${LIVE} ORDER BY alias`,
  );
  const one = db.prepare<[string, string, number], HoldRow>(
    `SELECT * FROM holds WHERE function_id = ? AND alias = ? AND ${LIVE}`,
  );
  const onAlias = db.prepare<[string, number], HoldRow>(`SELECT * FROM holds WHERE alias = ? AND ${LIVE}`);
  const expired = db.prepare<[number], { functionId: string; alias: string }>(
    "SELECT function_id AS functionId, alias FROM holds WHERE expires_at <= ?",
  );
  const next = db.prepare<[number], number | null>("SELECT min(expires_at) FROM holds WHERE expires_at > ?").pluck();
  const waiting = db.prepare<[], string>(`SELECT key FROM settings WHERE key GLOB '${WAITING}*'`).pluck();
  const save = db.prepare(
    `INSERT OR REPLACE INTO holds (function_id, alias, kind, version_id, rejected, reason, author, created_at, expires_at,
       offline) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare("DELETE FROM holds WHERE function_id = ? AND alias = ?");

  const all = (alias: string) => new Map(onAlias.all(alias, now()).map((row) => [row.function_id, holdOf(row)]));
  const hold = (functionId: string, alias: string) => {
    const row = one.get(functionId, alias, now());
    return row && holdOf(row);
  };

  return {
    holds: (functionId) => ofFunction.all(functionId, now()).map(holdOf),
    hold,
    latestHolds: () => all("latest"),
    suspension: (functionId) => hold(functionId, EVERY_ALIAS),
    suspensions: () => all(EVERY_ALIAS),
    holdsOnGit: () => new Map([...all("latest"), ...all(EVERY_ALIAS)]),
    waitingFunctions: () => new Set((waiting.all() as string[]).map((key) => key.slice(WAITING.length))),
    expiredHolds: () => ({ expired: expired.all(now()), next: next.get(now()) ?? undefined }),
    saveHold: (functionId, hold) => {
      const { alias, kind, version, rejected = null, reason = null, author, createdAt, expiresAt = null } = hold;
      const offline = Number(hold.offline === true);
      save.run(functionId, alias, kind, version, rejected, reason, author, createdAt, expiresAt, offline);
    },
    deleteHold: (functionId, alias) => remove.run(functionId, alias).changes > 0,
  };
}

function holdOf(row: HoldRow): Hold {
  const { alias, kind, author } = row;
  return {
    alias,
    kind,
    version: row.version_id,
    ...(row.rejected === null ? {} : { rejected: row.rejected }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    author,
    createdAt: row.created_at,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.offline === 1 ? { offline: true } : {}),
  };
}
