// One life of the serving process: workerd, the way to talk to it, and what is known about it. Begun by `beginLife`, over
// when `workerd.ended` resolves.
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../errors.js";
import { type Contexts, openContexts } from "./contexts.js";
import { type Control, openControl } from "./control.js";
import type { Freeze } from "./culprit.js";
import type { RuntimeOptions } from "./front.js";
import { createInFlight, type InFlight } from "./in-flight.js";
import { longCallLimit } from "./long-calls.js";
import { isSettled, within } from "./patience.js";
import { databaseSocket } from "./run-folder.js";
import { createRuntimeLog } from "./runtime-log.js";
import { describeEnding, type Ending, ranOutOfMemory, startWorkerd, type Workerd } from "./workerd.js";

export interface Life {
  workerd: Workerd;
  control: Control;
  inFlight: InFlight;
  /** Present: whatever could still run is known without gaps. */
  contexts: Contexts | undefined;
  traceKey: string;
  /** Traced from the first request on, so that what was in flight is known without gaps. */
  tracedFromStart: boolean;
  tracing: boolean;
  since: number;
  /** Why we ended it; undefined while it runs and when it ended by itself. */
  endedFor: "hang" | "long-call" | "memory" | undefined;
  /** Calls of the agent under way that may keep it busy. */
  longCalls: number;
  /** One of them is over. */
  onAnswer(): void;
}

const START_LIMIT = 60_000;
/** For the rest of a trace after the process has ended. */
const READING_LIMIT = 2_000;

/** Resolves once all sockets listen. Otherwise throws, with nothing left running; so it does when `signal` aborts. */
export async function beginLife(
  options: RuntimeOptions,
  start: { trace: boolean; wards: Record<string, number>; signal: AbortSignal },
): Promise<Life> {
  const traceKey = randomBytes(16).toString("hex");
  await options.beforeStart();
  const settings = { wards: start.wards, ...(start.trace ? { traceKey } : {}) };
  const configFile = await placeConfig(options, "serving", await options.writeConfig(settings));
  const socketPath = join(options.runDir, "control.sock");
  await Promise.all([socketPath, databaseSocket(options.runDir)].map((path) => rm(path, { force: true })));
  const contexts = start.trace ? await openContexts(join(options.runDir, "trace.fifo")) : undefined;
  const now = options.now ?? Date.now;
  const inFlight = createInFlight(traceKey);
  const lines = createRuntimeLog({ log: options.log, process: "serving", now });
  const workerd = startWorkerd({
    dataDir: options.dataDir,
    configFile,
    folder: options.runDir,
    sockets: options.sockets ?? ["public", "control"],
    publicAddress: options.publicAddress,
    binary: options.binary,
    arguments: contexts?.arguments,
    environment: options.environment,
    onLine: (stream, line) => {
      if (stream === "stderr" || !inFlight.take(line)) lines.line(stream, line);
    },
  });
  workerd.ended.then(lines.flush);
  start.signal.addEventListener("abort", workerd.kill, { once: true });
  if (start.signal.aborted) workerd.kill();
  try {
    await within(workerd.listening, START_LIMIT, () => notStarted());
  } catch (error) {
    workerd.kill();
    await workerd.ended;
    throw error;
  } finally {
    start.signal.removeEventListener("abort", workerd.kill);
    contexts?.read();
  }
  return {
    workerd,
    control: openControl({ socketPath, timeout: options.hangTimeout * 4 }),
    inFlight,
    contexts,
    traceKey,
    tracedFromStart: start.trace,
    tracing: start.trace,
    since: now(),
    endedFor: undefined,
    longCalls: 0,
    onAnswer: () => {},
  };
}

/** Why it is over, for people. */
export function reasonOf(life: Life, ending: Ending, hangTimeout: number): string {
  if (life.endedFor === "hang") return `the runtime did not answer for ${hangTimeout} ms and was killed`;
  if (life.endedFor === "long-call")
    return `statements of the agent kept the runtime busy for ${longCallLimit(hangTimeout)} ms, and it was killed`;
  if (life.endedFor === "memory") return "the runtime used too much memory and was replaced";
  return ranOutOfMemory(ending) ? `memory of the runtime ran out: ${describeEnding(ending)}` : describeEnding(ending);
}

/**
 * The end as a freeze that a function may have caused: a hang, or an abort of the process. Being killed from outside is
 * none, and must not put anybody under suspicion.
 */
export async function freezeOf(life: Life, ending: Ending, at: number): Promise<Freeze | undefined> {
  if (life.endedFor === "memory" || life.endedFor === "long-call" || !(life.endedFor === "hang" || isAbort(ending)))
    return undefined;
  const traced = life.tracedFromStart && life.tracing;
  const senders = life.inFlight.senders();
  if (senders) return { at, traced, isComplete: true, isStatement: true, inFlight: senders };
  const { contexts } = life;
  const isComplete = contexts !== undefined && (await isSettled(contexts.finished, READING_LIMIT));
  return {
    at,
    traced,
    isComplete,
    isStatement: false,
    inFlight: [...new Set([...life.inFlight.names(), ...(life.contexts?.names() ?? [])])],
  };
}

/** The process ended itself, as it does when memory runs out. */
export function isAbort(ending: Ending): boolean {
  const aborts = ["SIGABRT", "SIGTRAP", "SIGSEGV", "SIGILL", "SIGBUS", "SIGFPE"];
  return ranOutOfMemory(ending) || (ending.signal !== null && aborts.includes(ending.signal));
}

/** Path of a file with the configuration, written there unless it is one already. */
export async function placeConfig(options: { runDir: string }, name: string, config: string): Promise<string> {
  if (!config.includes("\n")) return config;
  const file = join(options.runDir, `${name}.capnp`);
  await writeFile(file, config, { mode: 0o600 });
  return file;
}

function notStarted(): WrkstError {
  return new WrkstError("ERR_RUNTIME", `the runtime did not start within ${START_LIMIT / 1000} s`);
}
