// One checker process: loads versions that nobody trusts yet, and is killed when one of them takes too much time or
// memory. It cannot tell which one it was; that is for the caller to find out, by asking again with one alone.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECK_HEADER, CHECK_PATH, type CheckRequest, type CheckResult } from "../../runtime/wire.js";
import { createGuard, lateAlone, lateTogether } from "./guard.js";
import { cpuMilliseconds } from "./identity.js";
import { isSettled } from "./patience.js";
import { createRuntimeLog, type Log } from "./runtime-log.js";
import { openSocketClient } from "./socket-client.js";
import { ranOutOfMemory, startWorkerd } from "./workerd.js";

export interface Check {
  artifact: Uint8Array;
  spec: CheckRequest;
}

export interface CheckLimits {
  /** Of the top level of one version. */
  milliseconds: number;
  /** Above what the process occupies when it has loaded nothing. */
  memoryBytes: number;
}

/** Why a process was lost while a check was in flight; "unwanted": nobody waited for any of its checks any more. */
export type Loss = "time" | "memory" | "crash" | "unwanted";
export type Outcome = Answered | { kind: "lost"; loss: Loss };
export interface Answered {
  kind: "answer";
  result: CheckResult;
  /** Milliseconds of processor time that the check took at most: those of its neighbours are in it. */
  cost: number;
  hadNeighbours: boolean;
}

export interface CheckProcess {
  readonly inFlight: number;
  /** Has done its share, or is gone: to be given no further check. It ends when its last check is answered. */
  readonly isUsedUp: boolean;
  /** The signal says that nobody waits for the outcome any more: when that holds for all in flight, the process is ended. */
  run(check: Check, signal: AbortSignal): Promise<Outcome>;
  /** Ends it now; checks in flight are lost. */
  close(): Promise<void>;
}

export interface CheckProcessOptions {
  dataDir: string;
  runDir: string;
  /** Name for its socket, of at most 16 bytes with `.sock`; no other process of the folder has it. */
  name: string;
  writeConfig(socketPath: string): Promise<string>;
  limits: CheckLimits;
  /** Whether it gets one check only. Time is then CPU time where that can be told, so that a busy machine harms nobody. */
  isAlone: boolean;
  binary?: string | undefined;
  environment?: Record<string, string> | undefined;
  log: Log;
}

/** What nobody waits for is mostly over in a moment, and a process costs more to start. */
const UNWANTED_TICKS = 4;
const MOST_CHECKS = 300;
const WORN_BYTES = 384 * 2 ** 20;

export async function startCheckProcess(options: CheckProcessOptions): Promise<CheckProcess> {
  const socketPath = join(options.runDir, `${options.name}.sock`);
  const written = join(options.runDir, `${options.name}.capnp`);
  const config = await options.writeConfig(socketPath);
  const isText = config.includes("\n");
  if (isText) await writeFile(written, config, { mode: 0o600 });
  const lines = createRuntimeLog({ log: options.log, process: "checker", now: Date.now });
  const workerd = startWorkerd({
    ...options,
    configFile: isText ? written : config,
    folder: options.runDir,
    sockets: ["control"],
    onLine: lines.line,
  });
  const client = openSocketClient(socketPath);
  const ended = workerd.ended.then(async (ending) => {
    client.close();
    lines.flush();
    await Promise.all([rm(socketPath, { force: true }), rm(written, { force: true })]);
    return ending;
  });
  try {
    await workerd.listening;
  } catch (error) {
    await ended;
    throw error;
  }

  const idleBytes = workerd.residentBytes() ?? 0;
  const wanted = new Set<Check>();
  let inFlight = 0;
  let checks = 0;
  let unwantedTicks = 0;
  let loss: Loss | undefined;
  let isOver = false;
  void workerd.ended.then(() => {
    isOver = true;
  });
  const lose = (why: Loss) => {
    loss ??= why;
    workerd.kill();
  };
  const grownBytes = () => (workerd.residentBytes() ?? 0) - idleBytes;
  const guard = createGuard({
    isLate: options.isAlone
      ? lateAlone(workerd.pid, options.limits.milliseconds)
      : lateTogether(options.limits.milliseconds),
    onTick: (isLate) => {
      unwantedTicks = wanted.size ? 0 : unwantedTicks + 1;
      if (grownBytes() > options.limits.memoryBytes) lose("memory");
      else if (isLate) lose("time");
      else if (unwantedTicks >= UNWANTED_TICKS) lose("unwanted");
    },
  });
  const isUsedUp = () => isOver || loss !== undefined || checks >= MOST_CHECKS;

  return {
    get inFlight() {
      return inFlight;
    },
    get isUsedUp() {
      return isUsedUp();
    },
    async run(check, signal) {
      checks++;
      inFlight++;
      if (!signal.aborted) wanted.add(check);
      const unwant = () => wanted.delete(check);
      signal.addEventListener("abort", unwant, { once: true });
      if (inFlight === 1) guard.start();
      const number = checks;
      const hadNeighbours = inFlight > 1;
      const cpuBefore = cpuMilliseconds(workerd.pid) ?? Number.NEGATIVE_INFINITY;
      const spec = Buffer.from(JSON.stringify(check.spec));
      const headers = { [CHECK_HEADER]: String(spec.length) };
      const body = Buffer.concat([spec, check.artifact]);
      const sent = client.send({ path: CHECK_PATH, body, headers, timeout: 0 });
      try {
        const answer = await sent;
        guard.answered();
        if (answer.status !== 200)
          throw new Error(`the checker answered ${answer.status}: ${answer.body.toString().slice(0, 500)}`);
        const result = JSON.parse(answer.body.toString()) as CheckResult;
        const cpu = (cpuMilliseconds(workerd.pid) ?? Number.POSITIVE_INFINITY) - cpuBefore;
        const cost = result.ok ? Math.min(cpu, result.milliseconds) : 0;
        return { kind: "answer", result, cost, hadNeighbours: hadNeighbours || checks > number };
      } catch (error) {
        if (!(await endsSoon(ended, loss !== undefined))) throw error;
        const ending = await ended;
        return { kind: "lost", loss: loss ?? (ranOutOfMemory(ending) ? "memory" : "crash") };
      } finally {
        signal.removeEventListener("abort", unwant);
        unwant();
        inFlight--;
        if (inFlight === 0) guard.stop();
        if (grownBytes() > WORN_BYTES) checks = MOST_CHECKS;
        if (inFlight === 0 && isUsedUp()) workerd.kill();
      }
    },
    async close() {
      workerd.kill();
      await ended;
    },
  };
}

/** A connection breaks a moment before the end of the process is known. */
async function endsSoon(ended: Promise<unknown>, isCertain: boolean): Promise<boolean> {
  return isCertain || isSettled(ended, 500);
}
