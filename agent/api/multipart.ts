// Reads multipart/form-data part by part: what is large goes to files of ours, never to names of the client's. Invariant:
// whatever happens, nothing is left on disk when the reading is over.

import { randomUUID } from "node:crypto";
import { once, setMaxListeners } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Dicer } from "@fastify/busboy";
import { WrkstError } from "../errors.js";
import { type Budget, declaredSize } from "./body.js";

export interface Part {
  /** As the client calls it; nothing is checked but its length. */
  name: string;
  /** Lower case, without parameters; undefined where the part says none. */
  type: string | undefined;
  bytes: Uint8Array;
}

export interface MultipartLimits {
  /** Bytes of the whole body. */
  size: number;
  parts: number;
  /** Bytes of a part that is kept in memory only, since it may hold secrets. */
  inMemory: number;
  /** Milliseconds without a byte. */
  idle: number;
}

export interface MultipartOptions {
  /** Folder for the files of one reading each; made when needed. */
  folder: string;
  limits: MultipartLimits;
  /** Names of the parts that are never written to disk. */
  memoryOnly: ReadonlySet<string>;
  /** Bytes that all readings at once may take. */
  budget: Budget;
}

const MAX_NAME = 1024;
const MAX_HEADER_PAIRS = 32;

/**
 * The parts in the order in which they came.
 * @throws WrkstError ERR_INVALID, ERR_TOO_LARGE, each names the limit; ERR_RATE_LIMITED when too much is read at once
 */
export async function readMultipart(req: IncomingMessage, options: MultipartOptions): Promise<Part[]> {
  const { limits } = options;
  if ((declaredSize(req) ?? 0) > limits.size) throw tooLarge("a body", limits.size);
  const boundary = boundaryOf(req.headers["content-type"]);
  const folder = join(options.folder, randomUUID());
  const counter = createCounter(options);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const kept = await keepParts(req, { ...options, folder, boundary, take: counter.take });
    return await Promise.all(kept.map(async ({ read, ...part }) => ({ ...part, bytes: await read() })));
  } finally {
    counter.giveBack();
    await rm(folder, { recursive: true, force: true });
  }
}

function createCounter({ limits, budget }: MultipartOptions) {
  let seen = 0;
  return {
    take(bytes: number): void {
      seen += bytes;
      budget.left -= bytes;
      if (seen > limits.size) throw tooLarge("a body", limits.size);
      if (budget.left < 0) throw new WrkstError("ERR_RATE_LIMITED", "too many large uploads at once");
    },
    giveBack(): void {
      budget.left += seen;
    },
  };
}

function boundaryOf(type: string | undefined): string {
  const [, quoted, bare] =
    /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(type ?? "") ?? [];
  const boundary = quoted ?? bare;
  if (boundary !== undefined) return boundary;
  throw new WrkstError("ERR_INVALID", `expected a body of type "multipart/form-data", received "${type ?? ""}"`);
}

interface KeptPart extends Omit<Part, "bytes"> {
  read: () => Promise<Uint8Array>;
}

interface Reading extends MultipartOptions {
  boundary: string;
  take: (bytes: number) => void;
}

async function keepParts(req: IncomingMessage, options: Reading): Promise<KeptPart[]> {
  const { limits, boundary, take } = options;
  const parser = new Dicer({ boundary, maxHeaderPairs: MAX_HEADER_PAIRS });
  const giveUp = new AbortController();
  const { signal } = giveUp;
  // Every part listens.
  setMaxListeners(0, signal);
  const parts: Promise<KeptPart>[] = [];
  let idle: NodeJS.Timeout | undefined;
  const failure = new Promise<never>((_, reject) => {
    idle = setTimeout(() => reject(late(limits.idle)), limits.idle);
    parser.on("error", () => reject(cutOff()));
    parser.on("part", (stream: Dicer.PartStream) => {
      stream.on("error", () => undefined);
      if (parts.length >= limits.parts) {
        reject(new WrkstError("ERR_TOO_LARGE", `expected at most ${limits.parts} parts`));
        return;
      }
      const part = keepPart(stream, { ...options, signal, index: parts.length });
      part.catch(reject);
      parts.push(part);
    });
  });
  try {
    await Promise.race([failure, feed(req, { parser, signal, take, touch: () => idle?.refresh() })]);
    return await Promise.race([failure, Promise.all(parts)]);
  } catch (error) {
    giveUp.abort();
    parser.destroy();
    await Promise.allSettled(parts);
    throw error instanceof WrkstError ? error : cutOff(error);
  } finally {
    clearTimeout(idle);
  }
}

interface Feeding {
  parser: Dicer;
  /** Counts bytes that came; throws when they are too many. */
  take: (bytes: number) => void;
  /** Called at every sign of life. */
  touch: () => void;
  signal: AbortSignal;
}

/** Not with `pipeline`: that would end the connection with the reading, before anything is answered. */
async function feed(req: IncomingMessage, { parser, take, signal, touch }: Feeding): Promise<void> {
  const finished = once(parser, "finish", { signal });
  finished.catch(() => undefined);
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    touch();
    take(chunk.length);
    if (!parser.write(chunk)) await once(parser, "drain", { signal });
  }
  parser.end();
  await finished;
}

type Keeping = MultipartOptions & { index: number; signal: AbortSignal };

async function keepPart(stream: Dicer.PartStream, options: Keeping): Promise<KeptPart> {
  const { memoryOnly, limits, signal } = options;
  try {
    const headers = await headersOf(stream, signal);
    const named = { name: nameOf(headers), type: typeOf(headers) };
    if (memoryOnly.has(named.name)) {
      const bytes = await inMemory(stream, { limit: limits.inMemory, name: named.name, signal });
      return { ...named, read: async () => bytes };
    }
    const file = join(options.folder, String(options.index));
    await pipeline(stream as Readable, createWriteStream(file, { flags: "wx", mode: 0o600 }), { signal });
    return { ...named, read: () => readFile(file) };
  } catch (error) {
    throw error instanceof WrkstError ? error : cutOff(error);
  }
}

function headersOf(stream: Dicer.PartStream, signal: AbortSignal): Promise<Record<string, string[]>> {
  return new Promise((resolve, reject) => {
    stream.once("header", (header: object) => resolve(header as Record<string, string[]>));
    stream.push = (chunk) => {
      // Nobody reads yet, so the stream itself would not tell that it is over.
      if (chunk === null) reject(new WrkstError("ERR_INVALID", "a part of the body has no headers"));
      return Object.getPrototypeOf(stream).push.call(stream, chunk);
    };
    signal.addEventListener("abort", () => reject(cutOff()), { once: true });
  });
}

/** With a pipeline, since a part lets nothing more in while it is read by an iterator. */
async function inMemory(
  stream: Readable,
  { limit, name, signal }: { limit: number; name: string; signal: AbortSignal },
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  const kept = new Writable({
    write(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      chunks.push(chunk);
      done(length > limit ? tooLarge(`a part "${name}"`, limit) : null);
    },
  });
  await pipeline(stream, kept, { signal });
  return Buffer.concat(chunks);
}

function nameOf(headers: Record<string, string[]>): string {
  const disposition = latin1ToUtf8(headers["content-disposition"]?.[0] ?? "");
  const [, quoted, bare] = /^form-data\s*;(?:.*;)?\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/is.exec(disposition) ?? [];
  const name = quoted?.replace(/\\(["\\])/g, "$1").replace(/%(22|0D|0A)/gi, decodeURIComponent) ?? bare;
  if (name === undefined || name === "") throw new WrkstError("ERR_INVALID", "a part of the body has no name");
  if (name.length > MAX_NAME) throw tooLarge("a name of a part", MAX_NAME);
  return name;
}

function typeOf(headers: Record<string, string[]>): string | undefined {
  const type = headers["content-type"]?.[0]?.split(";")[0]?.trim().toLowerCase();
  return type === "" ? undefined : type;
}

function latin1ToUtf8(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8");
}

function tooLarge(what: string, limit: number): WrkstError {
  return new WrkstError("ERR_TOO_LARGE", `expected ${what} of at most ${limit} bytes`);
}

function late(milliseconds: number): WrkstError {
  return new WrkstError("ERR_INVALID", `expected more of the body within ${milliseconds / 1000} s`);
}

function cutOff(cause?: unknown): WrkstError {
  return new WrkstError("ERR_INVALID", "the body ended before its last part did", { cause });
}
