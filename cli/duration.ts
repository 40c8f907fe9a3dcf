// Spans of time as people type them. Pure.

import { InvalidArgumentError } from "commander";

import { says } from "./wording.js";

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `90d` from now, or a date, as ISO 8601. */
export function parseExpiry(raw: string, now: number): string {
  const [, count, unit = ""] = /^(\d{1,4})([mhdw])$/.exec(raw) ?? [];
  if (count !== undefined) return new Date(now + Number(count) * (UNITS[unit] ?? 0)).toISOString();
  const date = /^\d{4}-\d{2}-\d{2}/.test(raw) ? Date.parse(raw) : Number.NaN;
  if (date > now) return new Date(date).toISOString();
  throw new InvalidArgumentError(`expected a span such as "12h" or "90d", or a date to come, received "${raw}".`);
}

/** `2h` ago, or a date, as ISO 8601. `refusal` says what was expected. */
export function parsePast(raw: string, now: number, refusal = says.badTime): string {
  const [, count, unit = ""] = /^(\d{1,4})([mhdw])$/.exec(raw) ?? [];
  if (count !== undefined) return new Date(now - Number(count) * (UNITS[unit] ?? 0)).toISOString();
  const date = /^\d{4}-\d{2}-\d{2}/.test(raw) ? Date.parse(raw) : Number.NaN;
  if (date <= now) return new Date(date).toISOString();
  throw new InvalidArgumentError(refusal(raw));
}
