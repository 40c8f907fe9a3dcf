// `GET /api/v1/events`: what happened, as pages of JSON or as server-sent events that go on. Invariants: events of functions
// that the caller may not read are left out, whoever asks and however; a listener gets all others in order, or is told that
// some are kept no longer.

import { type Auth, MAIN, permits } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import type { PlatformEvent } from "../model.js";
import type { EventPage, EventQuery, Platform } from "./platform.js";
import { present, QUERY } from "./requests.js";
import type { Call, Routes } from "./routes.js";

/** Milliseconds between two looks, and between two signs of life. */
const LOOK = 250;
const SIGN = 15_000;
const MOST_STREAMS = 200;
const AT_ONCE = 100;

export interface EventRoutesDeps {
  platform: Platform;
  auth: Pick<Auth, "authenticate">;
}

export function addEventRoutes(routes: Routes, deps: EventRoutesDeps): void {
  const { platform } = deps;
  let streams = 0;
  const rule = { action: "self", of: "caller" } as const;
  const spec = { method: "GET", path: "/api/v1/events", rule, query: QUERY.events } as const;
  routes.add({ ...spec, summary: "What happened; with Accept: text/event-stream as it happens" }, async (call) => {
    const { limit, kind: kinds, ...query } = call.query;
    const asked: EventQuery = { limit, ...present({ ...query, kinds }) };
    if (!call.req.headers.accept?.includes("text/event-stream")) {
      const page = await platform.events(asked);
      const lost = asked.after === undefined ? 0 : (gapAfter(asked.after, page)?.lost ?? 0);
      const { cursor, newest } = page;
      return { events: page.events.flatMap(shownTo(call)), cursor, newest, ...(lost ? { lost } : {}) };
    }
    if (streams >= MOST_STREAMS) throw new WrkstError("ERR_RATE_LIMITED", `expected at most ${MOST_STREAMS} listeners`);
    streams += 1;
    try {
      await stream(deps, { ...asked, after: await firstId(platform, call, asked) }, call);
    } finally {
      streams -= 1;
    }
    return undefined;
  });
}

/** The event as the caller may see it, or nothing. */
type Shown = (event: PlatformEvent) => PlatformEvent[];

/**
 * Of the platform itself everybody may know how its sources and its runtime are; who logs in is for administrators, and so
 * is what names functions of any account.
 */
const OF_EVERYBODY = /^(?:source|runtime)\.(?!suspects$|culprit$|cleared$)/;

function shownTo({ identity }: Pick<Call, "identity">): Shown {
  const isAdmin = permits(identity, "admin", MAIN);
  return (event) => {
    if (isAdmin) return [event];
    const owner = event.account;
    const isReadable = owner === undefined ? OF_EVERYBODY.test(event.kind) : permits(identity, "read", owner);
    if (!isReadable || !permits(identity, "read", owner ?? MAIN)) return [];
    return [owner !== undefined && permits(identity, "logs", owner) ? event : withoutActor(event)];
  };
}

/** Addresses and credentials of others are nobody's business. */
export function withoutActor({ actor: _, ...event }: PlatformEvent): PlatformEvent {
  return event;
}

interface Gap {
  /** Events of anybody that came after it and are kept no longer; null: it was never an event of this server. */
  lost: number | null;
  /** Id to go on after. */
  until: number;
}

/** Undefined where all that came after the id is there. */
function gapAfter(after: number, { oldest, newest }: Pick<EventPage, "oldest" | "newest">): Gap | undefined {
  if (after > newest) return { lost: null, until: newest };
  return oldest > after + 1 ? { lost: oldest - after - 1, until: oldest - 1 } : undefined;
}

/** Where the client was; somebody new hears what happens from now on. */
async function firstId(platform: Platform, { req }: Pick<Call, "req">, { after }: EventQuery): Promise<number> {
  const last = req.headers["last-event-id"];
  if (typeof last === "string" && /^\d{1,15}$/.test(last)) return Number(last);
  if (after !== undefined) return after;
  return (await platform.events({ limit: 1 })).newest;
}

async function stream(deps: EventRoutesDeps, query: EventQuery & { after: number }, call: Call): Promise<void> {
  const { platform } = deps;
  const { res, signal } = call;
  res.writeHead(200, { "content-type": "text/event-stream", "x-accel-buffering": "no" });
  res.write(": listening\n\n");
  let { after } = query;
  let said = Date.now();
  while (!signal.aborted) {
    const page = await platform.events({ ...query, after, limit: AT_ONCE });
    const { events } = page;
    const gap = gapAfter(after, page);
    const isDue = Date.now() - said >= SIGN;
    const isTold = events.length > 0 || gap !== undefined || isDue;
    const shown = isTold ? await shownNow(deps, call) : undefined;
    if (isTold && !shown) break;
    // A page that is not full has all there is: what was not asked for is not looked through again.
    after = events.length === AT_ONCE ? events[AT_ONCE - 1]!.id : page.newest;
    const frames = [...(gap ? [frameOfGap(gap)] : []), ...(shown ? events.flatMap(shown).map(frameOf) : [])];
    const text = frames.length || !isDue ? frames.join("") : `: still here\nid: ${after}\n\n`;
    if (text !== "") said = Date.now();
    if (text !== "" && !res.write(text)) await settled(res, "drain", signal);
    if (events.length < AT_ONCE) await pause(signal);
  }
  res.end();
}

/** Asked again before anything is told: the credential may have been revoked, the user disabled (SECURITY.md A5). */
async function shownNow({ auth }: Pick<EventRoutesDeps, "auth">, { req, client }: Call): Promise<Shown | undefined> {
  const identity = await auth.authenticate(req.headers.authorization, client.address).catch(() => undefined);
  return identity && permits(identity, "self") ? shownTo({ identity }) : undefined;
}

function frameOf(event: PlatformEvent): string {
  return `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Said before what is still there. */
function frameOfGap({ lost, until }: Gap): string {
  return `id: ${until}\nevent: gap\ndata: ${JSON.stringify({ lost })}\n\n`;
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, LOOK);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end);
  });
}

function settled(res: Call["res"], event: "drain", signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    function end() {
      res.off(event, end);
      signal.removeEventListener("abort", end);
      resolve();
    }
    res.on(event, end);
    signal.addEventListener("abort", end);
  });
}
