// Which events a listener wants to hear: the filters of `wrangler tail`, checked and applied. Pure; chance comes in.

import { WrkstError } from "../errors.js";
import type { TailEvent } from "../model.js";

/** One filter, as clients send it. All filters of a listener must hold. */
export type TailFilter =
  | { sampling_rate: number }
  | { outcome: string[] }
  | { method: string[] }
  | { header: { key: string; query?: string } }
  /** `self` is the address that the listener was made from. */
  | { client_ip: string[] }
  | { query: string }
  | { scriptVersion: string };

const MAX_FILTERS = 20;
const MAX_VALUES = 50;
const MAX_TEXT = 500;

/** The filters in a client's body; nothing at all is no filter. @throws WrkstError ERR_INVALID */
export function parseFilters(raw: unknown): TailFilter[] {
  if (raw === undefined || raw === null) return [];
  if (!Array.isArray(raw) || raw.length > MAX_FILTERS) throw invalid(`a list of at most ${MAX_FILTERS} filters`);
  return raw.map(parseFilter);
}

/** Whether an event passes all filters. `self`: address of the listener; `chance`: 0 ≤ n < 1. */
export function passes(
  event: TailEvent,
  filters: TailFilter[],
  { self, chance }: { self: string; chance: () => number },
) {
  return filters.every((filter) => holds(event, filter, { self, chance }));
}

function parseFilter(raw: unknown): TailFilter {
  if (typeof raw !== "object" || raw === null || Object.keys(raw).length !== 1)
    throw invalid("objects with one key each");
  const [[key, value]] = Object.entries(raw) as [[string, unknown]];
  switch (key) {
    case "sampling_rate":
      if (typeof value !== "number" || !(value > 0 && value <= 1)) throw invalid('"sampling_rate" above 0 and up to 1');
      return { sampling_rate: value };
    case "outcome":
      return { outcome: parseTexts(key, value) };
    case "method":
      return { method: parseTexts(key, value).map((method) => method.toUpperCase()) };
    case "client_ip":
      return { client_ip: parseTexts(key, value) };
    case "header":
      return { header: parseHeader(value) };
    case "query":
      return { query: parseText(key, value) };
    case "scriptVersion":
      return { scriptVersion: parseText(key, value) };
    default:
      throw invalid(`no other filters than those of "wrangler tail", received "${key.slice(0, 50)}"`);
  }
}

function parseTexts(key: string, value: unknown): string[] {
  if (!Array.isArray(value) || value.length > MAX_VALUES) throw invalid(`"${key}" with a list of texts`);
  return value.map((entry) => parseText(key, entry));
}

function parseText(key: string, value: unknown): string {
  if (typeof value !== "string" || value === "" || value.length > MAX_TEXT) {
    throw invalid(`"${key}" with a text of 1 to ${MAX_TEXT} characters`);
  }
  return value;
}

function parseHeader(value: unknown): { key: string; query?: string } {
  const { key, query } = (value ?? {}) as { key?: unknown; query?: unknown };
  const name = parseText("header", key).toLowerCase();
  return query === undefined || query === null || query === ""
    ? { key: name }
    : { key: name, query: parseText("header", query) };
}

function invalid(expected: string): WrkstError {
  return new WrkstError("ERR_INVALID", `filters: expected ${expected}`);
}

function holds(
  event: TailEvent,
  filter: TailFilter,
  { self, chance }: { self: string; chance: () => number },
): boolean {
  if ("sampling_rate" in filter) return chance() < filter.sampling_rate;
  if ("outcome" in filter) return filter.outcome.includes(event.outcome);
  if ("query" in filter) return mentions(event, filter.query);
  if ("scriptVersion" in filter) return event.scriptVersion.id === filter.scriptVersion;
  const request = event.event && "request" in event.event ? event.event.request : undefined;
  if (!request) return false;
  if ("method" in filter) return filter.method.includes(request.method.toUpperCase());
  if ("header" in filter) {
    const value = request.headers[filter.header.key];
    return value !== undefined && (filter.header.query === undefined || value.includes(filter.header.query));
  }
  const address = request.headers["cf-connecting-ip"];
  return address !== undefined && filter.client_ip.some((wanted) => (wanted === "self" ? self : wanted) === address);
}

/** As Cloudflare's `query`: a text in what was said, by `console` or by an exception. */
function mentions({ logs, exceptions }: TailEvent, query: string): boolean {
  const said = logs
    .flatMap(({ message }) => message)
    .map((part) => (typeof part === "string" ? part : JSON.stringify(part)));
  const thrown = exceptions.map(({ name, message }) => `${name}: ${message}`);
  return [...said, ...thrown].some((text) => text?.includes(query));
}
