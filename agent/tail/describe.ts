// What the runtime tells, as events for listeners and as lines to keep. Pure; places are mapped by who is given.

import { formatWithOptions } from "node:util";
import type { Exception, Invocation, TailLine } from "../../runtime/wire.js";
import type { Position } from "../errors.js";
import type { KeptLog, TailEvent, TailedException } from "../model.js";

/** Replaces places in built modules by places of the source. */
export type MapPlaces = (text: string) => { message: string; position?: Position };

export type NewKeptLog = Omit<KeptLog, "id">;

/** Frames of modules of ours, which surround the function's. */
const OWN_FRAME = /^.*__wrkst_.*\n?/gm;
const MAX_TEXT = 4096;

/** What is sent to listeners. */
export function eventOf(line: Exclude<TailLine, { kind: "lost" }>, mapPlaces: MapPlaces): TailEvent {
  const { function: scriptName, version } = line;
  const invocation = line.kind === "invocation" ? line.invocation : invocationOfThrown(line);
  const { outcome, at, event, logs, request, wallTime, truncated } = invocation;
  return {
    ...{ scriptName, scriptVersion: { id: version }, outcome, eventTimestamp: at, event, logs },
    exceptions: invocation.exceptions.map((exception) => mapException(exception, mapPlaces)),
    ...(request ? { requestId: request } : {}),
    ...(wallTime === undefined ? {} : { wallTime }),
    ...(truncated ? { truncated } : {}),
  };
}

/** Says to listeners that lines were lost. */
export function noticeOf(name: string, count: number, at: number): TailEvent {
  const message = `${count} events of "${name}" were left out: there are more than can be told`;
  return {
    ...{ scriptName: name, scriptVersion: { id: "" }, outcome: "unknown", eventTimestamp: at },
    ...{ event: { type: "overload", message }, logs: [], exceptions: [] },
  };
}

/** What is kept of an event: exceptions always, what was said where the function is observed. */
export function keptOf(event: TailEvent, asked: { method?: string; path?: string }, isObserved: boolean): NewKeptLog[] {
  const { scriptVersion, requestId } = event;
  const from = {
    version: scriptVersion.id,
    ...(requestId ? { request: requestId } : {}),
    ...(asked.method === undefined ? {} : { method: asked.method }),
    ...(asked.path === undefined ? {} : { path: asked.path.slice(0, MAX_TEXT) }),
  };
  const thrown = event.exceptions.map(({ name, message, timestamp, stack, position }): NewKeptLog => {
    const text = `${name}: ${message}`.slice(0, MAX_TEXT);
    const where = { ...(stack ? { stack: stack.slice(0, MAX_TEXT) } : {}), ...(position ? { position } : {}) };
    return { at: timestamp, kind: "exception", level: "error", message: text, ...where, ...from };
  });
  const said = isObserved ? event.logs : [];
  const logs = said.map(({ level, timestamp, message }): NewKeptLog => {
    return { at: timestamp, kind: "log", level, message: wordsOf(message), ...from };
  });
  return [...logs, ...thrown].sort((a, b) => a.at - b.at);
}

/** Method and path of the request that an invocation answered. */
export function askedOf(line: Exclude<TailLine, { kind: "lost" }>): { method?: string; path?: string } {
  if (line.kind === "threw") return line.asked ?? {};
  const request = line.invocation.event?.request;
  return request && URL.canParse(request.url) ? { method: request.method, path: new URL(request.url).pathname } : {};
}

/** As a terminal would show it. */
function wordsOf(message: unknown[]): string {
  return formatWithOptions({ depth: 3, breakLength: 120, maxStringLength: MAX_TEXT }, ...message).slice(0, MAX_TEXT);
}

function invocationOfThrown({ exception, request }: TailLine & { kind: "threw" }): Invocation {
  return { outcome: "exception", at: exception.timestamp, logs: [], exceptions: [exception], event: null, request };
}

function mapException({ name, message, timestamp, stack }: Exception, mapPlaces: MapPlaces): TailedException {
  if (stack === undefined) return { name, message, timestamp };
  const mapped = mapPlaces(stack.replace(OWN_FRAME, "").trimEnd());
  return { name, message, timestamp, stack: mapped.message, ...(mapped.position ? { position: mapped.position } : {}) };
}
