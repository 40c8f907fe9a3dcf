// Ports for servers that must know theirs before they listen, or come back to it. For tests only.
import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 10_000;
const COUNT = 22_000;
const PER_PROCESS = 16;
let given = 0;

/**
 * A port on which nobody listens. It lies below those that the system hands out by itself, from 32768 on, so that no connection
 * takes it between two servers, and in a part of the range that is this process's own.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + ((process.pid * PER_PROCESS + given++) % COUNT);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
