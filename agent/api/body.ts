// Reads a request's body, within limits of size, time and memory. Invariant: nothing is read of what is declared too large.

import type { IncomingMessage } from "node:http";
import { WrkstError } from "../errors.js";

export interface BodyLimits {
  /** Bytes. */
  size: number;
  /** Milliseconds until the last byte. */
  time: number;
  /** Bytes that all bodies in flight may take together. */
  budget: Budget;
}

/** Memory that several readers share. */
export interface Budget {
  left: number;
}

/** Bytes that the request says it has; undefined when it does not say. */
export function declaredSize(req: IncomingMessage): number | undefined {
  const declared = req.headers["content-length"];
  return declared === undefined ? undefined : Number(declared);
}

/** Before anything is read. @throws WrkstError ERR_TOO_LARGE */
export function expectDeclaredSize(req: IncomingMessage, size: number): void {
  if ((declaredSize(req) ?? 0) > size) throw tooLarge(size);
}

/**
 * The bytes of the body, each chunk shown to `onChunk` as it arrives.
 * @throws WrkstError ERR_TOO_LARGE, ERR_RATE_LIMITED when memory is short, ERR_INVALID when the client went away
 */
export async function readBody(
  req: IncomingMessage,
  limits: BodyLimits,
  onChunk: (chunk: Buffer) => void,
): Promise<Buffer> {
  expectDeclaredSize(req, limits.size);
  const chunks: Buffer[] = [];
  let length = 0;
  const take = (chunk: Buffer) => {
    length += chunk.length;
    limits.budget.left -= chunk.length;
    if (length > limits.size) throw tooLarge(limits.size);
    if (limits.budget.left < 0) throw new WrkstError("ERR_RATE_LIMITED", "too many large requests at once");
    chunks.push(chunk);
    onChunk(chunk);
  };
  try {
    await consume(req, take, limits.time);
    return Buffer.concat(chunks);
  } finally {
    limits.budget.left += length;
  }
}

/** Bytes of a body that is read only to be dropped. */
const MOST_DROPPED = 2 ** 20;

/**
 * Takes in a small body that nobody has begun to read, and drops it. Who is refused while still writing sees a broken
 * connection, not the answer. Settles after a second at most.
 */
export async function dropSmallBody(req: IncomingMessage): Promise<void> {
  if (req.complete || req.readableDidRead || (declaredSize(req) ?? 0) > MOST_DROPPED) return;
  let left = MOST_DROPPED;
  const drop = ({ length }: Buffer) => {
    left -= length;
    if (left < 0) throw tooLarge(MOST_DROPPED);
  };
  await consume(req, drop, 1000).catch(() => undefined);
}

function consume(req: IncomingMessage, take: (chunk: Buffer) => void, time: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      req.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
      req.on("error", () => undefined);
      outcome();
    };
    const fail = (error: unknown) => {
      req.pause();
      settle(() => reject(error));
    };
    const onData = (chunk: Buffer) => {
      try {
        take(chunk);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = () => settle(resolve);
    const onGone = () => fail(new WrkstError("ERR_INVALID", "the request ended before its body did"));
    const timer = setTimeout(
      () => fail(new WrkstError("ERR_INVALID", `expected the whole body within ${time / 1000} s`)),
      time,
    );
    req.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

function tooLarge(size: number): WrkstError {
  return new WrkstError("ERR_TOO_LARGE", `expected a body of at most ${size} bytes`);
}
