// Writes that are sent twice happen once: the answer of the first is kept under the caller's `Idempotency-Key`. Invariant:
// only successes are kept, bounded in number; an answer that holds a secret is never kept.

import { createHash } from "node:crypto";
import type { Request } from "express";
import type { Identity } from "../auth/index.js";
import { WrkstError } from "../errors.js";

export interface IdempotentWrite {
  call: { req: Request; identity: Identity };
  spec: { method: string; rule: unknown; secret?: boolean };
  /** The body. */
  bytes: Uint8Array;
  /** Only routes of ours know the header. */
  isPlain: boolean;
}

export interface Idempotency {
  /**
   * What the write answers, or has answered to the same key before.
   * @throws WrkstError ERR_CONFLICT for a key that was used for something else, and while the first still runs
   */
  run(write: IdempotentWrite, act: () => unknown | Promise<unknown>): Promise<unknown>;
}

interface Kept {
  digest: string;
  at: number;
  /** Undefined while it runs. */
  outcome?: { value: unknown };
}

const LIFE = 24 * 3_600_000;
const MOST_KEPT = 10_000;

export function createIdempotency({ now }: { now: () => number }): Idempotency {
  const kept = new Map<string, Kept>();

  async function once(key: string, digest: string, act: () => unknown): Promise<unknown> {
    const entry: Kept = { digest, at: now() };
    kept.set(key, entry);
    for (const oldest of kept.keys()) {
      if (kept.size <= MOST_KEPT) break;
      kept.delete(oldest);
    }
    try {
      const value = await act();
      entry.outcome = { value };
      return value;
    } catch (error) {
      kept.delete(key);
      throw error;
    }
  }

  return {
    async run({ call, spec, bytes, isPlain }, act) {
      const given = call.req.headers["idempotency-key"];
      if (given === undefined || !isPlain || spec.method === "GET" || spec.rule === "open" || spec.secret) return act();
      const { method, originalUrl } = call.req;
      const key = `${call.identity.subject} ${parseKey(given)}`;
      const digest = createHash("sha256").update(`${method} ${originalUrl}\n`).update(bytes).digest("hex");
      const before = kept.get(key);
      if (!before || now() - before.at > LIFE) return once(key, digest, act);
      if (before.digest !== digest) {
        throw new WrkstError("ERR_CONFLICT", "this Idempotency-Key was used for another request", {
          hint: "make a new key for every new request",
        });
      }
      if (before.outcome) return before.outcome.value;
      throw new WrkstError("ERR_CONFLICT", "the first request with this Idempotency-Key still runs");
    },
  };
}

function parseKey(given: string | string[]): string {
  if (typeof given === "string" && /^[\x21-\x7e]{1,255}$/.test(given)) return given;
  throw new WrkstError("ERR_INVALID", "expected an Idempotency-Key of 1 to 255 visible characters");
}
