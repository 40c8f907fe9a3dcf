// Has copies of databases made and checked in child processes, which are killed when they take too long.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { WrkstError } from "../errors.js";
import type { CopyAnswer, CopyJob, CopyMessage } from "./copy-process.js";
import { sizeOf } from "./object-file.js";

export interface Copier {
  /**
   * Copies the database as it is at one moment, while others go on writing, to a new file that is whole, checked and synced.
   * Answers the names noted in the tables of migrations. @throws WrkstError ERR_STORE
   */
  copy(from: string, to: string, tables: string[]): Promise<string[]>;
  /** @throws WrkstError ERR_STORE where the file is not whole */
  check(file: string): Promise<void>;
  close(): Promise<void>;
}

export interface CopierOptions {
  /** Milliseconds that a job has, whatever its size; default a minute. */
  patience?: number;
  /** Milliseconds that a process without work is kept for the next job. */
  idle?: number;
}

/** Below what the slowest disk does; beyond it somebody's schema keeps the process busy. */
const BYTES_PER_MILLISECOND = 2_000;

interface Worker {
  child: ChildProcess;
  ended: Promise<void>;
  timer?: NodeJS.Timeout;
}

export function openCopier({ patience = 60_000, idle = 5_000 }: CopierOptions = {}): Copier {
  const workers = new Set<Worker>();
  const free: Worker[] = [];
  let isClosed = false;
  let count = 0;

  function take(): Worker {
    const found = free.pop();
    if (!found) return start();
    clearTimeout(found.timer);
    hold(found.child, true);
    return found;
  }

  function start(): Worker {
    // Nothing of the agent's environment: no secrets, no options for node.
    const child = fork(fileURLToPath(new URL("./copy-process.js", import.meta.url)), [], {
      env: {},
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const ended = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const worker: Worker = { child, ended };
    workers.add(worker);
    void ended.then(() => {
      workers.delete(worker);
      const index = free.indexOf(worker);
      if (index >= 0) free.splice(index, 1);
    });
    return worker;
  }

  function giveBack(worker: Worker): void {
    if (isClosed || worker.child.exitCode !== null || !worker.child.connected) return;
    worker.timer = setTimeout(() => worker.child.kill("SIGKILL"), idle);
    worker.timer.unref();
    hold(worker.child, false);
    free.push(worker);
  }

  async function ask(job: CopyJob, size: number): Promise<string[]> {
    if (isClosed) throw new WrkstError("ERR_SUPERSEDED", "the agent is stopping");
    const worker = take();
    const message: CopyMessage = { id: ++count, job };
    const answer = await answerOf(worker, message, patience + size / BYTES_PER_MILLISECOND);
    if (answer === "late" || answer === "gone") {
      worker.child.kill("SIGKILL");
      throw failed(answer === "late" ? "it took too long" : "the process that copies ended");
    }
    giveBack(worker);
    if ("error" in answer) throw failed(answer.error);
    return answer.migrations;
  }

  return {
    copy: (from, to, tables) => ask({ kind: "copy", from, to, tables }, sizeOf(from)),
    check: async (file) => void (await ask({ kind: "check", file }, sizeOf(file))),
    async close() {
      isClosed = true;
      const all = [...workers];
      for (const { child, timer } of all) {
        clearTimeout(timer);
        hold(child, true);
        child.kill("SIGKILL");
      }
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}

function answerOf(
  { child, ended }: Worker,
  message: CopyMessage,
  limit: number,
): Promise<CopyAnswer | "late" | "gone"> {
  return new Promise((resolve) => {
    const settle = (answer: CopyAnswer | "late" | "gone") => {
      clearTimeout(timer);
      child.off("message", listen);
      resolve(answer);
    };
    const listen = (answer: CopyAnswer) => {
      if (answer.id === message.id) settle(answer);
    };
    const timer = setTimeout(() => settle("late"), limit);
    child.on("message", listen);
    void ended.then(() => settle("gone"));
    child.send(message, (error) => error && settle("gone"));
  });
}

/** Whether the process keeps ours alive: only while it works. */
function hold(child: ChildProcess, on: boolean): void {
  for (const handle of [child, child.channel]) {
    if (on) handle?.ref();
    else handle?.unref();
  }
}

function failed(reason: string): WrkstError {
  const full = /disk is full|no space/i.test(reason);
  return new WrkstError(
    "ERR_STORE",
    `the database could not be copied: ${full ? "no space left on the disk" : reason}`,
    {
      hint: full ? "free space under DATA_DIR (`df -h`)" : "try again; if it stays so, see the log of the agent",
    },
  );
}
