// What a row leaves behind: nothing. Temporary folders, processes and agents are ended in reverse order, also after a failure.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Scope {
  /** Calls the closer at the end, in reverse order. */
  defer(close: () => Promise<unknown> | unknown): void;
  folder(): Promise<string>;
  /** A process that is killed by its id at the end, if it still runs. */
  process(command: string, args: string[], options?: { cwd?: string }): ChildProcess;
}

export async function withScope<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const defer = (close: () => Promise<unknown> | unknown) => void closers.push(close);
  try {
    return await work({
      defer,
      async folder() {
        const path = await mkdtemp(join(tmpdir(), "wrkst-bench-"));
        defer(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
        return path;
      },
      process(command, args, options = {}) {
        const child = spawn(command, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
        defer(() => end(child));
        return child;
      },
    });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
