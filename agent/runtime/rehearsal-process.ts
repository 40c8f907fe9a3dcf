// One process in which SQL runs on a copy before it may run where everybody waits for it. It is killed when that takes too much
// time or memory; then it is gone with its folder and the copy in it. Opens no file but those of its folder.
import { mkdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { D1_UNIQUE_KEY, type D1Script, type D1ScriptAnswer } from "../../runtime/d1/wire.js";
import { WrkstError } from "../errors.js";
import { d1Calls } from "./databases.js";
import { createGuard, lateAlone } from "./guard.js";
import { cpuMilliseconds } from "./identity.js";
import { isAbort } from "./life.js";
import { isSettled, within } from "./patience.js";
import { createRuntimeLog, type Log } from "./runtime-log.js";
import { openSocketClient } from "./socket-client.js";
import { describeEnding, startWorkerd, type Workerd } from "./workerd.js";

export interface RehearsalLimits {
  /** Of processor time, for one script; of time in all where that cannot be told, and several times as much where it can. */
  milliseconds: number;
  /** Above what the process occupies when it has run nothing. */
  memoryBytes: number;
}

export interface RehearsalProcessOptions {
  dataDir: string;
  /** Where its socket lies, under its name. */
  runDir: string;
  name: string;
  /** Its own, which must not be there yet. */
  folder: string;
  /** Text of the configuration; objects of databases are to lie under `<folder>/do`. */
  writeConfig(paths: { controlSocket: string; folder: string }): Promise<string>;
  limits: RehearsalLimits;
  binary?: string | undefined;
  log: Log;
}

/** How a script ended. `refused`: in words, why it must not run elsewhere; the process is gone then. */
export type Rehearsed = { kind: "answer"; answer: D1ScriptAnswer } | { kind: "refused"; reason: string };

export interface RehearsalProcess {
  /** As DATA_DIR is to the serving process: a file put where an object of it lies is that object's from its first call on. */
  readonly folder: string;
  readonly isOver: boolean;
  /** One at a time. It may use so much of the processor's time; absent: the limit of the process. */
  script(script: D1Script, milliseconds?: number): Promise<Rehearsed>;
  /** Resolves when neither process nor folder is left. */
  close(): Promise<void>;
}

const START_LIMIT = 60_000;

export async function startRehearsalProcess(options: RehearsalProcessOptions): Promise<RehearsalProcess> {
  const { folder, limits } = options;
  const socketPath = join(options.runDir, `${options.name}.sock`);
  const clean = () =>
    Promise.all([rm(folder, { recursive: true, force: true }), rm(socketPath, { force: true })]).then(() => undefined);
  await clean();
  mkdirSync(join(folder, "do", D1_UNIQUE_KEY), { recursive: true, mode: 0o700 });
  const workerd = await startIn(options, socketPath).catch(async (error: unknown) => {
    await clean();
    throw error;
  });
  const client = openSocketClient(socketPath);
  let isOver = false;
  const ended = workerd.ended.then(async (ending) => {
    isOver = true;
    client.close();
    await clean();
    return ending;
  });
  const idleBytes = workerd.residentBytes() ?? 0;
  let excess: "time" | "memory" | undefined;
  const end = (why: typeof excess) => {
    excess ??= why;
    workerd.kill();
  };
  const guardOf = (milliseconds: number) =>
    createGuard({
      isLate: lateAlone(workerd.pid, milliseconds),
      onTick(isLate) {
        if ((workerd.residentBytes() ?? 0) - idleBytes > limits.memoryBytes) end("memory");
        else if (isLate) end("time");
      },
    });
  return {
    folder,
    get isOver() {
      return isOver || excess !== undefined;
    },
    async script(script, milliseconds = limits.milliseconds) {
      const before = cpuMilliseconds(workerd.pid);
      const words = { time: tooLong(milliseconds), memory: `it used more than ${inMiB(limits.memoryBytes)}` };
      const guard = guardOf(milliseconds);
      guard.start();
      try {
        const answer = await d1Calls(client).script(script);
        const used = before === undefined ? 0 : (cpuMilliseconds(workerd.pid) ?? 0) - before;
        if (used > milliseconds) end("time");
        return excess ? { kind: "refused", reason: words[excess] } : { kind: "answer", answer };
      } catch (error) {
        // A connection breaks a moment before the end of the process is known.
        const isEnded = excess !== undefined || (await isSettled(ended, 500));
        // It may be busy with the script still.
        isOver = true;
        workerd.kill();
        if (!isEnded) throw error;
        const ending = await ended;
        if (excess) return { kind: "refused", reason: words[excess] };
        // Ended from outside, which is not the script's fault.
        if (!isAbort(ending)) throw error;
        return { kind: "refused", reason: describeEnding(ending) };
      } finally {
        guard.stop();
      }
    },
    async close() {
      workerd.kill();
      await ended;
    },
  };
}

async function startIn(options: RehearsalProcessOptions, controlSocket: string): Promise<Workerd> {
  const { dataDir, folder, binary, log } = options;
  const configFile = join(folder, `${options.name}.capnp`);
  await writeFile(configFile, await options.writeConfig({ controlSocket, folder }), { mode: 0o600 });
  const lines = createRuntimeLog({ log, process: "rehearsal", now: Date.now });
  const onLine = lines.line;
  const workerd = startWorkerd({ dataDir, configFile, folder, sockets: ["control"], binary, onLine });
  void workerd.ended.then(lines.flush);
  try {
    await within(workerd.listening, START_LIMIT, notStarted);
    return workerd;
  } catch (error) {
    workerd.kill();
    await workerd.ended;
    throw error;
  }
}

function notStarted(): WrkstError {
  return new WrkstError("ERR_RUNTIME", `the process that rehearses SQL did not start within ${START_LIMIT / 1000} s`);
}

function tooLong(milliseconds: number): string {
  return `it used more than ${milliseconds} ms of processor time, or several times as long in all`;
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB of memory`;
}
