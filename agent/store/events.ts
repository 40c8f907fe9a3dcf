// The log of what happened and the deployments. Both are only ever appended to; the log keeps its newest entries.

import type { ErrorReport } from "../errors.js";
import type { Actor, Deployment, PlatformEvent, TrafficSplit } from "../model.js";
import type { Db } from "./database.js";
import { optional, toJson } from "./json.js";

/** How many events are kept. */
export const MAX_EVENTS = 10_000;

export type NewEvent = Omit<PlatformEvent, "id" | "at">;

export interface EventQuery {
  /** Events with a greater id, oldest first; otherwise the newest first. */
  after?: number;
  /** Events with a smaller id. */
  before?: number;
  kinds?: string[];
  function?: string;
  source?: string;
  limit: number;
}

export interface Events {
  events(query: EventQuery): PlatformEvent[];
  addEvent(event: NewEvent): PlatformEvent;
  /** Of one function, newest first. */
  deployments(functionId: string, limit?: number): Deployment[];
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
  revision: string | null;
  message: string;
  error: string | null;
  actor: string | null;
}

interface DeploymentRow extends Omit<Deployment, "split" | "message" | "credential" | "address"> {
  split: string | null;
  message: string | null;
  credential: string | null;
  address: string | null;
}

export function createEvents(db: Db, now: () => number, maxEvents = MAX_EVENTS): Events & EventRows {
  const insert = db.prepare(
    "INSERT INTO events (at, kind, source, function, revision, message, error, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const trim = db.prepare("DELETE FROM events WHERE id <= ?");
  const select = (order: "ASC" | "DESC") =>
    db.prepare<[Record<string, unknown>], EventRow>(
      `SELECT * FROM events
       WHERE id > coalesce(@after, 0) AND (@before IS NULL OR id < @before)
         AND (@function IS NULL OR function = @function) AND (@source IS NULL OR source = @source)
         AND (@kinds IS NULL OR kind IN (SELECT value FROM json_each(@kinds)))
       ORDER BY id ${order} LIMIT @limit`,
    );
  const oldestFirst = select("ASC");
  const newestFirst = select("DESC");
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

  return {
    events: (asked) => {
      const { after = null, before = null, kinds, function: name = null, source = null, limit } = asked;
      const statement = after === null ? newestFirst : oldestFirst;
      return statement.all({ after, before, kinds: toJson(kinds), function: name, source, limit }).map(eventOf);
    },
    addEvent: (event) => {
      const at = now();
      const { kind, source = null, function: name = null, revision = null, message, error, actor } = event;
      const row = [at, kind, source, name, revision, message, toJson(error), toJson(actor)];
      const id = Number(insert.run(...row).lastInsertRowid);
      trim.run(id - maxEvents);
      return { ...event, id, at };
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
