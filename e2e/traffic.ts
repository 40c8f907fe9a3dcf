// What tests of requests share: functions deployed in one push, and answers that are read while they arrive.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestAgent, TestRepository } from "./harness.js";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
export const DATE = "2026-11-01";

/** Files of a function of one module; `toml` follows the first three lines of its wrangler file. */
export function functionOf(name: string, code: string, toml = ""): Record<string, string> {
  const first = `name = "${name}"\nmain = "index.js"\ncompatibility_date = "${DATE}"\n`;
  return { [`${name}/wrangler.toml`]: first + toml, [`${name}/index.js`]: code };
}

/** Files of the examples named, as they would lie in a repository of their own. */
export async function exampleFiles(...names: string[]): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const name of names) {
    const entries = await readdir(join(EXAMPLES, name), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((candidate) => candidate.isFile())) {
      const path = join(entry.parentPath, entry.name);
      files[path.slice(EXAMPLES.length + 1)] = await readFile(path);
    }
  }
  return files;
}

/** Pushes the files; the test fails when anything of the push does. */
export async function deploy(
  agent: TestAgent,
  repository: TestRepository,
  files: Record<string, string | Uint8Array | null>,
): Promise<string> {
  const commit = await repository.commit(files);
  const { ok, output } = await repository.push(agent);
  assert.ok(ok && / live in /.test(output), output);
  return commit;
}

/** A request whose two bodies are in the test's hands. */
export interface Exchange {
  request: ClientRequest;
  /** Arrives with the headers. */
  response: Promise<IncomingMessage>;
}

export function openExchange(
  agent: TestAgent,
  host: string,
  options: { path?: string; method?: string; headers?: Record<string, string>; localAddress?: string } = {},
): Exchange {
  const { path = "/", method = "POST", headers = {}, localAddress } = options;
  const request = httpRequest({
    host: "127.0.0.1",
    port: agent.port,
    path,
    method,
    headers: { host: `${host}.localhost`, ...headers },
    agent: false,
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  const response = once(request, "response").then(([message]) => message as IncomingMessage);
  response.catch(() => undefined);
  request.flushHeaders();
  return { request, response };
}

/** The next bytes of a body as text; undefined at its end. */
export async function nextChunk(message: IncomingMessage): Promise<string | undefined> {
  for (;;) {
    const chunk: Buffer | null = message.read();
    if (chunk !== null) return chunk.toString();
    if (message.readableEnded) return undefined;
    await new Promise<void>((resolve, reject) => {
      message.once("readable", resolve).once("end", resolve).once("error", reject);
    });
  }
}

/** All that is still to come of a body. */
export async function remaining(message: IncomingMessage): Promise<string> {
  let text = "";
  for (let chunk = await nextChunk(message); chunk !== undefined; chunk = await nextChunk(message)) text += chunk;
  return text;
}
