// Files that come and go as bodies. Invariant: what did not arrive whole leaves nothing on disk, and what the client calls a
// file is never a path.

import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { finished, pipeline } from "node:stream/promises";
import { WrkstError } from "../errors.js";
import { type Budget, declaredSize } from "./body.js";

export interface Arriving {
  /** Made when needed. */
  folder: string;
  /** Bytes. */
  limit: number;
  /** Bytes that all files which are being read, or wait, may take; given back by `release`. */
  budget: Budget;
  /** Milliseconds without a byte. */
  idle?: number;
}

export interface Arrived {
  path: string;
  /** Of the bytes, in hex. */
  md5: string;
  size: number;
  /** Removes it. */
  release(): Promise<void>;
}

const IDLE = 30_000;

/** @throws WrkstError ERR_TOO_LARGE, ERR_RATE_LIMITED where too much is on its way, ERR_INVALID when the client went away */
export async function receiveFile(req: IncomingMessage, options: Arriving): Promise<Arrived> {
  const { folder, limit, budget, idle = IDLE } = options;
  if ((declaredSize(req) ?? 0) > limit) throw tooLarge(limit);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, randomUUID());
  const md5 = createHash("md5");
  let size = 0;
  const release = async () => {
    budget.left += size;
    size = 0;
    await rm(path, { force: true });
  };
  const take = (chunk: Buffer) => {
    size += chunk.length;
    budget.left -= chunk.length;
    md5.update(chunk);
    if (size > limit) throw tooLarge(limit);
    if (budget.left < 0) throw new WrkstError("ERR_RATE_LIMITED", "too many large files at once");
  };
  const disk = createWriteStream(path, { mode: 0o600 });
  try {
    await copy(req, { disk, take, idle });
    return { path, md5: md5.digest("hex"), size, release };
  } catch (error) {
    disk.destroy();
    await release();
    throw error instanceof WrkstError ? error : failureOf(error);
  }
}

interface Copying {
  disk: WriteStream;
  take(chunk: Buffer): void;
  idle: number;
}

/** Leaves the request as it is when it fails, so that the answer can still be sent. */
async function copy(req: IncomingMessage, { disk, take, idle }: Copying): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new WrkstError("ERR_INVALID", "the file stopped arriving")), idle);
  });
  const written = finished(disk);
  const copying = async () => {
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      timer?.refresh();
      take(chunk);
      if (!disk.write(chunk)) await Promise.race([once(disk, "drain"), written]);
    }
    disk.end();
    await written;
  };
  try {
    await Promise.race([copying(), late, written]);
  } finally {
    clearTimeout(timer);
    written.catch(() => undefined);
  }
}

function tooLarge(limit: number): WrkstError {
  return new WrkstError("ERR_TOO_LARGE", `expected a file of at most ${limit} bytes`);
}

function failureOf(cause: unknown): Error {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC") return new WrkstError("ERR_STORE", "the disk is full", { cause });
  const isGone = code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ECONNRESET";
  return isGone ? new WrkstError("ERR_INVALID", "the request ended before its body did") : (cause as Error);
}

export interface Sent {
  /** What the client may call it. */
  name: string;
  type: string;
}

/** Answers with the bytes of the file; who goes away early ends it. */
export async function sendFile(res: ServerResponse, path: string, { name, type }: Sent): Promise<undefined> {
  const { size } = await stat(path);
  res.writeHead(200, {
    ...{ "content-type": type, "content-length": size },
    "content-disposition": `attachment; filename="${name}"`,
  });
  if (res.req.method === "HEAD") res.end();
  else await pipeline(createReadStream(path), res).catch(() => res.destroy());
  return undefined;
}
