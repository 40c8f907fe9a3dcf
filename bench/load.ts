// Load on one URL: by wrk where it is installed, otherwise by connections of our own. Counts what was answered.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { openClient } from "./client.js";
import { cpuSeconds } from "./process-figures.js";

export interface Target {
  port: number;
  host: string;
  /** "/" unless told. */
  path?: string;
  /** 16 unless told: few where a request is long, since what is in flight at the end does not count. */
  connections?: number;
  /** The process whose time is counted. */
  pid: number;
}

export interface LoadResult {
  requests: number;
  seconds: number;
  /** Processor time of the process. */
  cpuSeconds: number;
}

const run = promisify(execFile);
const CONNECTIONS = 16;

/** Throws when any request failed: a wrong answer is quick and would flatter. */
export async function applyLoad(target: Target, seconds: number): Promise<LoadResult> {
  const load = (await hasWrk()) ? byWrk : byOurselves;
  const cpuBefore = cpuSeconds(target.pid);
  const start = performance.now();
  const requests = await load(target, seconds);
  const elapsed = (performance.now() - start) / 1000;
  return { requests, seconds: elapsed, cpuSeconds: cpuSeconds(target.pid) - cpuBefore };
}

export function sumOfLoads(parts: LoadResult[]): LoadResult {
  const sum = (of: (part: LoadResult) => number) => parts.reduce((total, part) => total + of(part), 0);
  const requests = sum((part) => part.requests);
  return { requests, cpuSeconds: sum((part) => part.cpuSeconds), seconds: sum((part) => part.seconds) };
}

export async function hasWrk(): Promise<boolean> {
  try {
    await run("wrk", ["--version"]);
    return true;
  } catch (error) {
    // It ends with a failure after it has told its version: only its absence counts.
    return (error as { code?: unknown }).code !== "ENOENT";
  }
}

async function byWrk({ port, host, path = "/", connections = CONNECTIONS }: Target, seconds: number): Promise<number> {
  const args = [
    "-t1",
    `-c${connections}`,
    `-d${seconds}s`,
    "--timeout",
    "20s",
    "-H",
    `Host: ${host}`,
    `http://127.0.0.1:${port}${path}`,
  ];
  const { stdout } = await run("wrk", args);
  const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(stdout);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
  if (failed || requests === 0) throw new Error(`load on "${host}": ${failed?.[0] ?? stdout}`);
  return requests;
}

async function byOurselves(
  { port, host, path = "/", connections = CONNECTIONS }: Target,
  seconds: number,
): Promise<number> {
  const end = performance.now() + seconds * 1000;
  const counts = await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = openClient(port);
      let count = 0;
      for (; performance.now() < end; count++) {
        const { status } = await client.get(host, { path });
        if (status !== 200) throw new Error(`load on "${host}": an answer with status ${status}`);
      }
      client.close();
      return count;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
