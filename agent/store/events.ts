// The log of what happened and the deployments. Both are only ever appended to; the log keeps its newest entries. Invariant:
// an event belongs to the account and the id that the function had, not to its name, which another account may have later.

import type { ErrorReport } from "../errors.js";
import type { Actor, Deployment, PlatformEvent, TrafficSplit } from "../model.js";
import type { Db } from "./database.js";
import { optional, toJson } from "./json.js";

/** How many events are kept. */
export const MAX_EVENTS = 10_000;

export interface NewEvent extends Omit<PlatformEvent, "id" | "at"> {
  /** Without it, that of whoever owns the name now; without a name, the event bears that of this function. */
  functionId?: string;
}

export interface EventQuery {
  /** Events with a greater id, oldest first; otherwise the newest first. */
  after?: number;
  /** Events with a smaller id. */
  before?: number;
  /** Whole (`source.synced`), or the noun alone for all of it (`source`). */
  kinds?: string[];
  /** Its name: also of another function that had it. */
  function?: string;
  functionId?: string;
  source?: string;
  limit: number;
}

export interface Events {
  events(query: EventQuery): PlatformEvent[];
  /** Ids of the oldest event that is kept and of the newest; 0 where there is none. */
  eventIds(): { oldest: number; newest: number };
  addEvent(event: NewEvent): PlatformEvent;
  /** Of one function, newest first. */
  deployments(functionId: string, limit?: number): Deployment[];
  /** How many were recorded after the one with that number, by cause, and the number of the newest. null: only that. */
  deploymentsAfter(seq: number | null): { last: number; causes: Record<string, number> };
}

export interface EventRows {
  addDeployment(deployment: Deployment, functionId: string): void;
}

interface EventRow {
  id: number;
  at: number;
  kind: string;
  source: string | null;
  function: string | null;
  account: string | null;
  revision: string | null;
  message: string;
  error: string | null;
  actor: string | null;
}

/** Account of what sources declare. */
const OF_SOURCES = "main";

interface DeploymentRow extends Omit<Deployment, "split" | "message" | "credential" | "address"> {
  split: string | null;
  message: string | null;
  credential: string | null;
  address: string | null;
}

export interface EventOptions {
  maxEvents?: number | undefined;
  /** Notes who is to be told of it, in the transaction of the event. */
  queue?(event: PlatformEvent): void;
}

export function createEvents(
  db: Db,
  now: () => number,
  { maxEvents = MAX_EVENTS, queue }: EventOptions = {},
): Events & EventRows {
  const insert = db.prepare(
    `INSERT INTO events (at, kind, source, function, function_id, account, revision, message, error, actor)
     VALUES (@at, @kind, @source, @function, @functionId, @account, @revision, @message, @error, @actor)`,
  );
  const ownerOf = db.prepare<[string], { id: string; account: string }>(
    "SELECT id, account FROM functions WHERE name = ? AND state <> 'name-taken'",
  );
  const nameOf = db.prepare<[string], string>("SELECT name FROM functions WHERE id = ?").pluck();
  const trim = db.prepare("DELETE FROM events WHERE id <= ?");
  const select = (order: "ASC" | "DESC") =>
    db.prepare<[Record<string, unknown>], EventRow>(
      `SELECT * FROM events
       WHERE id > coalesce(@after, 0) AND (@before IS NULL OR id < @before)
         AND (@function IS NULL OR function = @function) AND (@functionId IS NULL OR function_id = @functionId)
         AND (@source IS NULL OR source = @source)
         AND (@kinds IS NULL OR kind IN (SELECT value FROM json_each(@kinds))
           OR substr(kind, 1, instr(kind, '.') - 1) IN (SELECT value FROM json_each(@kinds)))
       ORDER BY id ${order} LIMIT @limit`,
    );
  const oldestFirst = select("ASC");
  const newestFirst = select("DESC");
  const ids = db.prepare<[], { oldest: number; newest: number }>(
    "SELECT coalesce((SELECT min(id) FROM events), 0) AS oldest, coalesce((SELECT max(id) FROM events), 0) AS newest",
  );
  const addDeployment = db.prepare(
    `INSERT INTO deployments (id, function_id, function, at, cause, author, revision, from_version, to_version,
       split, message, credential, address)
     VALUES (@id, @functionId, @function, @at, @cause, @author, @revision, @from, @to,
       @split, @message, @credential, @address)`,
  );
  const deployments = db.prepare<[string, number], DeploymentRow>(
    `SELECT id, function, at, cause, author, revision, from_version AS "from", to_version AS "to",
       split, message, credential, address FROM deployments WHERE function_id = ? ORDER BY seq DESC LIMIT ?`,
  );

  const newestDeployment = db.prepare<[], number>("SELECT seq FROM deployments ORDER BY seq DESC LIMIT 1").pluck();
  const countByCause = db.prepare<[number, number], { cause: string; count: number }>(
    "SELECT cause, count(*) AS count FROM deployments WHERE seq > ? AND seq <= ? GROUP BY cause ORDER BY cause",
  );

  /** Whom the event belongs to. A source may speak of a name that it could not get: that is not the owner's event. */
  function belongs({ function: name, functionId, account, source }: NewEvent) {
    if (name === undefined || (functionId !== undefined && account !== undefined)) return { functionId, account };
    const owner = ownerOf.get(name);
    const isOwn = owner && owner.account === (account ?? (source === undefined ? owner.account : OF_SOURCES));
    if (isOwn) return { functionId: functionId ?? owner.id, account: owner.account };
    return { functionId, account: account ?? (source === undefined ? undefined : OF_SOURCES) };
  }

  return {
    events: (asked) => {
      const { after = null, before = null, kinds, source = null, limit } = asked;
      const of = { function: asked.function ?? null, functionId: asked.functionId ?? null };
      const statement = after === null ? newestFirst : oldestFirst;
      return statement.all({ after, before, kinds: toJson(kinds), ...of, source, limit }).map(eventOf);
    },
    eventIds: () => ids.get()!,
    addEvent: db.transaction((event: NewEvent) => {
      const at = now();
      const { functionId, account } = belongs(event);
      const name =
        event.function ?? (functionId === undefined ? undefined : (nameOf.get(functionId) as string | undefined));
      const { kind, source = null, revision = null, message, error, actor } = event;
      const texts = {
        kind,
        source,
        function: name ?? null,
        revision,
        message,
        error: toJson(error),
        actor: toJson(actor),
      };
      const row = { ...texts, at, functionId: functionId ?? null, account: account ?? null };
      const id = Number(insert.run(row).lastInsertRowid);
      trim.run(id - maxEvents);
      const { functionId: _, ...told } = event;
      const whose = {
        ...(name === undefined ? {} : { function: name }),
        ...(account === undefined ? {} : { account }),
      };
      const noted = { ...told, ...whose, id, at };
      queue?.(noted);
      return noted;
    }),
    deploymentsAfter(seq) {
      const last = newestDeployment.get() ?? 0;
      const rows = seq === null ? [] : countByCause.all(seq, last);
      return { last, causes: Object.fromEntries(rows.map(({ cause, count }) => [cause, count])) };
    },
    deployments: (functionId, limit = 100) => deployments.all(functionId, limit).map(deploymentOf),
    addDeployment: ({ split, message = null, credential = null, address = null, ...deployment }, functionId) =>
      void addDeployment.run({ ...deployment, functionId, split: toJson(split), message, credential, address }),
  };
}

function eventOf(row: EventRow): PlatformEvent {
  return {
    id: row.id,
    at: row.at,
    kind: row.kind,
    ...(row.source === null ? {} : { source: row.source }),
    ...(row.function === null ? {} : { function: row.function }),
    ...(row.account === null ? {} : { account: row.account }),
    ...(row.revision === null ? {} : { revision: row.revision }),
    message: row.message,
    ...optional<"error", ErrorReport>("error", row.error),
    ...optional<"actor", Actor>("actor", row.actor),
  };
}

function deploymentOf({ split, message, credential, address, ...row }: DeploymentRow): Deployment {
  return {
    ...row,
    ...optional<"split", TrafficSplit>("split", split),
    ...(message === null ? {} : { message }),
    ...(credential === null ? {} : { credential }),
    ...(address === null ? {} : { address }),
  };
}
