// Which functions may still run code, as workerd itself tells: a context of its async trace begins before any code of a
// request runs and ends when none can run any more, `waitUntil` and open connections included. Functions cannot write to
// it. What has not finished its first turn is not in it yet: the router's reports (in-flight.ts) have that.
import { execFile } from "node:child_process";
import { constants, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { readLines } from "./lines.js";

export interface Contexts {
  /** Arguments for workerd. */
  arguments: string[];
  /** To be called once the process is known to run, or to have failed. */
  read(): void;
  /** Resolves when all that the process wrote has been read. */
  finished: Promise<void>;
  /** Names of functions, each once. */
  names(): string[];
}

/** Loader of the router, in whose names workerd speaks of functions: `functions:<function>@…`. */
const LOADER = "functions:";

/** A pipe rather than a file: a trace has some kilobytes per request. Undefined where there is no `mkfifo`. */
export async function openContexts(path: string): Promise<Contexts | undefined> {
  await rm(path, { force: true });
  const fd = await promisify(execFile)("mkfifo", ["-m", "600", path]).then(
    () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    () => undefined,
  );
  if (fd === undefined) return undefined;
  const open = new Map<number, string>();
  const pipe = new Socket({ fd, readable: true, writable: false });
  const finished = new Promise<void>((resolve) => pipe.on("close", () => resolve()));
  return {
    arguments: [`--async-trace=${path}`],
    read: () => readLines(pipe, (line) => follow(open, line)),
    finished: finished.then(() => rm(path, { force: true })),
    names: () => [...new Set(open.values())],
  };
}

function follow(open: Map<number, string>, line: string): void {
  // A thousand other lines a second go by: only these two kinds are worth parsing.
  if (line.startsWith('{"e":"ctx",')) {
    const { ctx, worker } = JSON.parse(line) as { ctx: number; worker: string };
    if (worker.startsWith(LOADER)) open.set(ctx, worker.slice(LOADER.length).split("@", 1)[0]!);
  } else if (line.startsWith('{"e":"ctx_end",')) {
    open.delete((JSON.parse(line) as { ctx: number }).ctx);
  }
}
