// `wrkst events`: what happened, and with --follow what happens. Invariant: who follows hears of each event once and in order, also
// over a restart of the server, or is told that some are kept no longer.

import { setTimeout as delay } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import type { PlatformEvent } from "../../agent/model.js";
import { type Client, Refusal } from "../client.js";
import { readEvents } from "../event-stream.js";
import type { Io } from "../io.js";
import { type Common, functionPath, openSession } from "../session.js";
import { eventLine, viewEvents } from "../views.js";
import { formatJson, says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";
import { parseLimit } from "./status.js";

interface EventOptions extends Common {
  limit: number;
  function?: string;
  source?: string;
  kind?: string;
  follow?: boolean;
}

interface Page {
  events: PlatformEvent[];
  /** Id of the newest event, asked for or not; a server of an earlier release tells none. */
  newest?: number;
}

export function addEvents(program: Command, io: Io): void {
  addAsking(program, "events")
    .option("--limit <number>", TEXT.limit, parseLimit, 20)
    .option("--function <name>", TEXT.only)
    .option("--source <name>", TEXT.onlySource)
    .option("--kind <list>", TEXT.onlyKinds, parseKinds)
    .option("--follow", TEXT.follow)
    .action((options: EventOptions) => showEvents(options, io));
}

/** `source.synced`, or all of a noun: `source`. */
const KIND = /^[a-z0-9-]{1,40}(?:\.[a-z0-9-]{1,40})?$/;

function parseKinds(raw: string): string {
  const wrong = raw.split(",").find((kind) => !KIND.test(kind));
  if (wrong === undefined) return raw;
  throw new InvalidArgumentError(says.badKind(wrong));
}

async function showEvents(options: EventOptions, io: Io): Promise<void> {
  const { client, print, say, warn } = openSession(options, io);
  const query = new URLSearchParams();
  for (const key of ["function", "source", "kind"] as const) {
    const value = options[key];
    if (value !== undefined) query.set(key, value);
  }
  const page = await client.ask<Page>("GET", `/api/v1/events?${withLimit(query, options.limit)}`);
  const isNone = page.events.length === 0;
  const unknown = isNone ? await findUnknown(client, options) : undefined;
  if (!options.follow) {
    if (unknown) throw unknown;
    print(page, isNone ? "" : viewEvents(page.events));
    if (isNone) say(says.noEvents(options.kind));
    return;
  }
  if (unknown) warn(says.notYet(unknown.message));
  const tell = (event: PlatformEvent) => io.out(options.json ? `${formatJson(event)}\n` : eventLine(event));
  for (const event of [...page.events].sort((a, b) => a.id - b.id)) tell(event);
  await follow({ client, query, tell, say, signal: io.signal }, page.newest ?? page.events[0]?.id ?? 0);
}

/** The refusal of what no event is about because it is not there: of a misspelled name, above all. */
async function findUnknown(client: Client, options: EventOptions): Promise<Refusal | undefined> {
  const { source, function: name } = options;
  const paths = [
    ...(source === undefined ? [] : [`/api/v1/sources/${encodeURIComponent(source)}`]),
    ...(name === undefined ? [] : [functionPath(name)]),
  ];
  for (const path of paths) {
    const answer = await client.ask("GET", path).catch((error: unknown) => error);
    if (answer instanceof Refusal && answer.status === 404) return answer;
  }
  return undefined;
}

function withLimit(query: URLSearchParams, limit: number): URLSearchParams {
  const all = new URLSearchParams(query);
  all.set("limit", String(limit));
  return all;
}

interface Following {
  client: Client;
  query: URLSearchParams;
  tell: (event: PlatformEvent) => void;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** Milliseconds before each further try of a connection that was lost; the last one again and again. */
const PATIENCE = [200, 1_000, 3_000];

/** Until Ctrl-C, which is its regular end; what the server refuses ends it too. */
async function follow(following: Following, last: number): Promise<void> {
  const { say, signal } = following;
  let id = last;
  let lost = 0;
  while (!signal.aborted) {
    try {
      for await (const heard of listen(following, id)) {
        lost = 0;
        id = heard;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal && error.status < 500) throw error;
    }
    if (signal.aborted) return;
    if (lost === 0) say(says.connectionLost(following.client.url.origin));
    await delay(PATIENCE[Math.min(lost, PATIENCE.length - 1)], undefined, { signal }).catch(() => {});
    lost += 1;
  }
}

/** Tells each event; answers the ids to go on from. */
async function* listen({ client, query, tell, say }: Following, last: number): AsyncGenerator<number> {
  const headers = { accept: "text/event-stream", "last-event-id": String(last) };
  const response = await client.open(`/api/v1/events${query.size ? `?${query}` : ""}`, headers);
  for await (const { id, kind, data } of readEvents(response)) {
    if (kind === "gap") say(says.eventsLost((JSON.parse(data) as { lost: number | null }).lost));
    else if (data !== "") tell(JSON.parse(data) as PlatformEvent);
    if (id !== undefined) yield Number(id);
  }
}
