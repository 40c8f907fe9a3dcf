// What an answer means for what was sent, and when it is sent again. Pure.

import { reportOf, WrkstError } from "../errors.js";
import type { Answer } from "./post.js";

export type Outcome =
  | { kind: "sent" }
  /** `after`: milliseconds that the receiver asks for. */
  | { kind: "again"; message: string; after?: number }
  /** It will not be taken however often it is sent. */
  | { kind: "refused"; message: string };

const FIRST_WAIT = 5_000;
const LONGEST_WAIT = 3_600_000;
const DAY = 86_400_000;
export const MOST_ATTEMPTS = 40;

/** Milliseconds for which something is tried. */
export const LONGEST_TRIED = DAY;

/** Milliseconds until the next attempt, after that many of them. `random`: 0 to 1. */
export function waitAfter(attempts: number, random: number, asked: number | undefined): number {
  const backoff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.max(0, attempts - 1)) * (0.75 + random / 2);
  return Math.max(backoff, Math.min(asked ?? 0, LONGEST_TRIED));
}

/** `now`: milliseconds since 1970. */
export function outcomeOf({ status, headers }: Answer, now: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "sent" };
  const message = `it answered ${status}`;
  if (isPassing(status) || isSpent(status, headers)) {
    const after = pauseOf(headers, now);
    return { kind: "again", message, ...(after === undefined ? {} : { after }) };
  }
  if (status >= 300 && status < 400) return { kind: "refused", message: `${message}: redirects are not followed` };
  return { kind: "refused", message };
}

/** What became of a request that had no answer. Never says more of the address than its host. */
export function outcomeOfError(error: unknown): Outcome {
  const { code, message } = reportOf(error);
  if (error instanceof WrkstError && code === "ERR_INVALID") return { kind: "refused", message };
  const errno = (error as NodeJS.ErrnoException | undefined)?.code;
  return { kind: "again", message: typeof errno === "string" ? `it cannot be reached: ${errno}` : message };
}

const isPassing = (status: number) => status === 408 || status === 429 || status >= 500;

/** GitHub answers 403 where the rate is spent. */
const isSpent = (status: number, headers: Answer["headers"]) =>
  status === 403 && (headers["retry-after"] !== undefined || headers["x-ratelimit-remaining"] === "0");

/** `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), or GitHub's second at which the rate begins anew. */
function pauseOf(headers: Answer["headers"], now: number): number | undefined {
  const after = headers["retry-after"]?.trim();
  if (after !== undefined) {
    const at = /^\d{1,9}$/.test(after) ? now + Number(after) * 1000 : Date.parse(after);
    return Number.isNaN(at) ? undefined : Math.max(0, at - now);
  }
  const reset = Number(headers["x-ratelimit-remaining"] === "0" ? headers["x-ratelimit-reset"] : Number.NaN);
  return Number.isNaN(reset) ? undefined : Math.max(0, reset * 1000 - now);
}
