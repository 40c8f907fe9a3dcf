// What the API answers about what functions say: kept lines, live tails by server-sent events and by WebSocket. Knows nothing
// of routes and envelopes; whoever calls has asked the gate for the right to `logs` of the function's account.

import type { ServerResponse } from "node:http";
import { z } from "zod";
import { WrkstError } from "../errors.js";
import type { KeptLog } from "../model.js";
import {
  acceptTail,
  type Hub,
  type KeptLogs,
  type Listener,
  parseFilters,
  refuse,
  streamTail,
  type TailFilter,
  type TailRecord,
  type Tails,
  type Upgrade,
} from "../tail/index.js";

export interface TailParts {
  hub: Hub;
  tails: Tails;
  kept: KeptLogs;
  /** Id of a live function. */
  idOf(name: string): string | undefined;
}

/** Where a listener is, and whether it may listen still. */
export type From = Pick<Listener, "address" | "mayStay">;

const LEVELS = ["debug", "info", "log", "warn", "error"] as const;
const id = z.coerce.number().int().min(0);
const texts = z
  .string()
  .min(1)
  .transform((raw) => raw.split(",").map((text) => text.trim()))
  .optional();

/** Query of `GET /api/v1/functions/:name/logs`. */
export const LOGS_QUERY = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  /** Oldest first above this id. */
  after: id.optional(),
  /** Newest first below this id. */
  before: id.optional(),
  level: z.enum(LEVELS).optional(),
  kind: z.enum(["exception", "log"]).optional(),
});

/** Query of `GET /api/v1/functions/:name/tail`: the filters of `wrangler tail`, lists divided by commas. */
export const TAIL_QUERY = z.strictObject({
  status: texts,
  method: texts,
  ip: texts,
  header: z.string().min(1).optional(),
  search: z.string().min(1).optional(),
  sampling: z.coerce.number().gt(0).max(1).optional(),
  version: z.string().min(1).optional(),
});

/** Where a tail's WebSocket is opened: `/tails/<id>/<secret>`. */
const SOCKET_PATH = /^\/tails\/([0-9a-f]{32})\/([\w-]{43})$/;

/** `publicUrl`: origin that clients reach the API at. */
export function createTailCalls(parts: TailParts, publicUrl: () => string) {
  const { hub, tails, kept } = parts;
  const expect = (name: string): string => {
    const found = parts.idOf(name);
    if (found === undefined) throw new WrkstError("ERR_NOT_FOUND", `there is no function "${name}"`);
    return found;
  };
  return {
    logs(name: string, query: z.infer<typeof LOGS_QUERY>): { logs: KeptLog[]; cursor: string | null } {
      const { limit, ...rest } = query;
      const present = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
      const logs = kept.read(expect(name), { limit, ...present });
      return { logs, cursor: logs.length === limit ? String(logs.at(-1)?.id) : null };
    },
    /** Answers by itself, until the client is gone. */
    stream(res: ServerResponse, name: string, { query, ...from }: { query: z.infer<typeof TAIL_QUERY> } & From) {
      expect(name);
      return streamTail(hub, res, { name, filters: filtersOf(query), ...from });
    },
    /** `filters`: as wrangler sends them. */
    async create(name: string, { filters, ...from }: { filters: unknown } & From) {
      expect(name);
      const tail = await tails.create(name, { filters: parseFilters(filters), ...from });
      const origin = publicUrl().replace(/^http/, "ws");
      return { ...shown(tail), url: `${origin}/tails/${tail.id}/${tail.secret}` };
    },
    list: (name: string) => tails.list(name).map(shown),
    /** @throws WrkstError ERR_NOT_FOUND */
    remove(name: string, tail: string): void {
      if (!tails.remove(name, tail)) throw new WrkstError("ERR_NOT_FOUND", "there is no such tail");
    },
    /** An upgrade on one of our sockets: a tail's WebSocket, or nothing. */
    upgrade(upgrade: Upgrade): void {
      const [, tail, secret] = SOCKET_PATH.exec(upgrade.request.url ?? "") ?? [];
      if (tail && secret) acceptTail(tails, { id: tail, secret }, upgrade);
      else refuse(upgrade.socket, "404 Not Found");
    },
  };
}

export type TailCalls = ReturnType<typeof createTailCalls>;

function shown({ id, expiresAt }: TailRecord) {
  return { id, expires_at: new Date(expiresAt).toISOString() };
}

const FAILED = ["exception", "exceededCpu", "exceededMemory", "unknown"];

function filtersOf(query: z.infer<typeof TAIL_QUERY>): TailFilter[] {
  const [key = "", ...value] = query.header?.split(":") ?? [];
  return parseFilters([
    ...(query.status ? [{ outcome: query.status.flatMap((name) => (name === "error" ? FAILED : [name])) }] : []),
    ...(query.method ? [{ method: query.method }] : []),
    ...(query.ip ? [{ client_ip: query.ip }] : []),
    ...(query.header ? [{ header: { key: key.trim(), query: value.join(":").trim() } }] : []),
    ...(query.search ? [{ query: query.search }] : []),
    ...(query.sampling === undefined ? [] : [{ sampling_rate: query.sampling }]),
    ...(query.version ? [{ scriptVersion: query.version }] : []),
  ]);
}
