// How often one may ask: a bucket of tokens for everybody, for writes and reads apart. Invariant: bounded memory; what is
// refused costs no token, so that whoever waits as long as told is served.

import type { Request, Response } from "express";
import { WrkstError } from "../errors.js";

/** Requests: what a full bucket holds, and how many come back in a minute. */
export interface Rate {
  burst: number;
  perMinute: number;
}

export interface Bucket {
  tokens: number;
  /** Milliseconds since 1970. */
  at: number;
}

export interface Rates {
  /**
   * Counts a request of whom `who` names; refused, the answer gets a `Retry-After`.
   * @throws WrkstError ERR_RATE_LIMITED
   */
  count(who: string, req: Request, res: Response): void;
}

export const RATES = {
  write: { burst: 600, perMinute: 600 },
  read: { burst: 6_000, perMinute: 6_000 },
} as const satisfies Record<string, Rate>;

const MOST_BUCKETS = 20_000;

export function createRates({ now, most = MOST_BUCKETS }: { now: () => number; most?: number }): Rates {
  /** Those that asked last come last; a bucket that is forgotten is a full one again. */
  const buckets = new Map<string, Bucket>();
  return {
    count(who, req, res) {
      const kind = kindOf(req);
      const key = `${kind} ${who}`;
      const { bucket, wait } = drawToken(buckets.get(key), RATES[kind], now());
      buckets.delete(key);
      buckets.set(key, bucket);
      for (const oldest of buckets.keys()) {
        if (buckets.size <= most) break;
        buckets.delete(oldest);
      }
      if (wait === 0) return;
      const seconds = Math.ceil(wait / 1000);
      res.setHeader("retry-after", seconds);
      throw new WrkstError("ERR_RATE_LIMITED", `expected at most ${RATES[kind].perMinute} ${kind}s a minute`, {
        hint: `try again in ${seconds} s`,
      });
    },
  };
}

/** The bucket after a request, and for how many milliseconds to wait; 0: the request may pass. No bucket: a full one. */
export function drawToken(
  before: Bucket | undefined,
  { burst, perMinute }: Rate,
  now: number,
): { bucket: Bucket; wait: number } {
  const perMillisecond = perMinute / 60_000;
  const since = before ? Math.max(0, now - before.at) : 0;
  const tokens = before ? Math.min(burst, before.tokens + since * perMillisecond) : burst;
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at: now }, wait: 0 };
  return { bucket: { tokens, at: now }, wait: Math.ceil((1 - tokens) / perMillisecond) };
}

/** A fetch by git is a POST that changes nothing. */
export function kindOf({ method, path }: Pick<Request, "method" | "path">): keyof typeof RATES {
  const reads = method === "GET" || method === "HEAD" || path.endsWith("/git-upload-pack");
  return reads ? "read" : "write";
}
