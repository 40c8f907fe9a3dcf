// Writes that are sent twice happen once: the answer of the first is kept under the caller's `Idempotency-Key`, for a day and
// over restarts. Invariant: a key is noted before its write begins, so that no write happens twice whenever the agent is
// killed; only successes are kept, and never an answer that holds a secret.

import { createHash } from "node:crypto";
import type { Request } from "express";
import type { Identity } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import type { NotedWrite, WriteRecords, WriteRef } from "../store/index.js";
import { Reply } from "./routes.js";

export interface IdempotentWrite {
  call: { req: Request; identity: Identity };
  spec: { method: string; rule: unknown; secret?: boolean; rows?: boolean };
  /** The body. */
  bytes: Uint8Array;
  /** Only routes of ours know the header. */
  isPlain: boolean;
}

export interface Idempotency {
  /**
   * What the write answers, or has answered to the same key before.
   * @throws WrkstError ERR_KEY_REUSED for a key of another request; ERR_CONFLICT while the first still runs, where it is
   * not known what became of it, and where its answer was not kept
   */
  run(write: IdempotentWrite, act: () => unknown | Promise<unknown>): Promise<unknown>;
}

/** Bytes of the largest answer that is kept. */
const MAX_ANSWER = 256 * 2 ** 10;

export function createIdempotency(records: WriteRecords): Idempotency {
  const running = new Set<string>();

  async function once(write: IdempotentWrite, noted: { key: string; request: string }, act: () => unknown) {
    const { subject, account } = write.call.identity;
    const ref = { subject, key: noted.key };
    const name = nameOf(ref);
    records.beginWrite({ ...ref, account, request: noted.request });
    running.add(name);
    try {
      const value = await actOrDrop(ref, act, write.spec);
      records.endWrite(ref, endOf(write.spec, value));
      return value;
    } finally {
      running.delete(name);
    }
  }

  async function actOrDrop(ref: WriteRef, act: () => unknown, { rows }: IdempotentWrite["spec"]): Promise<unknown> {
    try {
      return await act();
    } catch (error) {
      // Statements may have been done though the runtime did not live to answer.
      if (!rows || !isUnanswered(error)) records.dropWrite(ref);
      throw error;
    }
  }

  return {
    async run(write, act) {
      const { call, spec, bytes, isPlain } = write;
      const given = call.req.headers["idempotency-key"];
      if (given === undefined || !isPlain || spec.method === "GET" || spec.rule === "open") return act();
      const { method, originalUrl } = call.req;
      const key = parseKey(given);
      const request = createHash("sha256").update(`${method} ${originalUrl}\n`).update(bytes).digest("hex");
      const ref = { subject: call.identity.subject, key };
      const before = records.write(ref);
      if (!before) return once(write, { key, request }, act);
      if (before.request !== request) {
        throw new WrkstError("ERR_KEY_REUSED", "this Idempotency-Key was used for another request", {
          hint: "make a new key for every new request",
        });
      }
      return replay(before, running.has(nameOf(ref)));
    },
  };
}

const nameOf = ({ subject, key }: { subject: string; key: string }) => `${subject} ${key}`;

const isUnanswered = (error: unknown) => error instanceof WrkstError && /^ERR_(RUNTIME|TIMEOUT)$/.test(error.code);

interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  value?: unknown;
}

function endOf({ secret, rows }: IdempotentWrite["spec"], value: unknown) {
  if (secret) return { outcome: "secret", answer: null } as const;
  return rows ? ({ outcome: "rows", answer: null } as const) : answerOf(value);
}

function answerOf(value: unknown) {
  const { status, headers, ...rest } = value instanceof Reply ? value : new Reply(value, {});
  const answer = JSON.stringify({ status, headers, value: rest.value } satisfies KeptAnswer);
  return Buffer.byteLength(answer) > MAX_ANSWER
    ? ({ outcome: "large", answer: null } as const)
    : ({ outcome: "kept", answer } as const);
}

const WHY = { secret: "it holds a secret", rows: "it may hold rows", large: "it is too large", kept: "it is lost" };

function replay({ outcome, answer }: NotedWrite, isRunning: boolean): Reply {
  if (answer !== null) {
    const { value, status, headers } = JSON.parse(answer) as KeptAnswer;
    return new Reply(value, { status, headers: { ...headers, "idempotency-replayed": "true" } });
  }
  if (isRunning) throw new WrkstError("ERR_CONFLICT", "the first request with this Idempotency-Key still runs");
  if (outcome === "begun") {
    throw new WrkstError("ERR_CONFLICT", "the platform stopped while the first request with this Idempotency-Key ran", {
      hint: "look whether it was done, and send it with a new key if not",
    });
  }
  throw new WrkstError("ERR_CONFLICT", `this was done by the first request; its answer is not kept: ${WHY[outcome]}`, {
    hint: "to do it once more, send it with a new key",
  });
}

function parseKey(given: string | string[]): string {
  if (typeof given === "string" && /^[\x21-\x7e]{1,255}$/.test(given)) return given;
  throw new WrkstError("ERR_INVALID", "expected an Idempotency-Key of 1 to 255 visible characters");
}
