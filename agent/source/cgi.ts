// Reads the head of what a CGI program prints (RFC 3875 §6). The body stays in the stream.

import type { Readable } from "node:stream";

export interface CgiHead {
  status: number;
  /** Name and value in turns, as they came. */
  headers: string[];
}

const LIMIT = 64 * 1024;

/** Undefined when the program ended without a whole head. What follows the head is put back into the stream. */
export async function readCgiHead(stdout: Readable): Promise<CgiHead | undefined> {
  let buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await nextChunk(stdout);
    if (!chunk) return undefined;
    buffer = Buffer.concat([buffer, chunk]);
    const match = /\r?\n\r?\n/.exec(buffer.toString("latin1"));
    if (match) {
      const rest = buffer.subarray(match.index + match[0].length);
      if (rest.length > 0) stdout.unshift(rest);
      return parseHead(buffer.toString("latin1", 0, match.index));
    }
    if (buffer.length > LIMIT) return undefined;
  }
}

function nextChunk(stream: Readable): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const take = () => {
      const chunk = stream.read() as Buffer | null;
      if (chunk === null && !stream.readableEnded && !stream.destroyed) return;
      stream.off("readable", take);
      stream.off("end", take);
      stream.off("close", take);
      stream.off("error", take);
      resolve(chunk ?? undefined);
    };
    for (const event of ["readable", "end", "close", "error"]) stream.on(event, take);
    take();
  });
}

function parseHead(text: string): CgiHead {
  const headers: string[] = [];
  let status = 200;
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    if (colon < 1) continue;
    if (name.toLowerCase() === "status") status = Number.parseInt(value, 10) || 500;
    else headers.push(name, value);
  }
  return { status, headers };
}
