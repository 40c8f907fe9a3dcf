// Takes what the server sends into a file, or to stdout. Invariant: a file that did not arrive whole is not there.

import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { tellingHowFar } from "./progress.js";
import type { Session } from "./session.js";
import { says } from "./wording.js";

/** `output`: undefined for stdout. */
export async function saveTo(response: Response, output: string | undefined, session: Session): Promise<void> {
  const { io, say } = session;
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>;
  if (output === undefined) return print(body, io.out);
  const file = resolve(io.folder, output);
  const part = `${file}.part`;
  let bytes = 0;
  const counted = async function* () {
    for await (const chunk of tellingHowFar(body, (sofar) => say(says.fetched(sofar)))) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  try {
    await pipeline(counted, createWriteStream(part, { mode: 0o600 }));
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  say(says.wrote(output, bytes));
}

/** Text: what is cut between two chunks belongs together. */
async function print(body: AsyncIterable<Uint8Array>, out: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of body) out(decoder.decode(chunk, { stream: true }));
  out(decoder.decode());
}
