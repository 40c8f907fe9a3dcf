// Loads new versions outside the serving runtime, so that one which loops, devours memory or crashes harms nobody and is
// named. Checks run many at a time; when their process is lost, each of them is asked again alone, in a process of its own.
import { setMaxListeners } from "node:events";
import type { CheckResult } from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";
import {
  type Answered,
  type Check,
  type CheckLimits,
  type CheckProcess,
  type Loss,
  type Outcome,
  startCheckProcess,
} from "./check-process.js";
import { createGate } from "./gate.js";
import { loadBudget } from "./load-budget.js";
import type { Log } from "./runtime-log.js";

export type { Check, CheckLimits };

export interface CheckerOptions {
  dataDir: string;
  /** Folder for unix sockets, see `openRunFolder`. */
  runDir: string;
  /** Text of the capnp configuration of a checker whose socket `control` has this path, or the absolute path of a file with it. */
  writeConfig(socketPath: string): Promise<string>;
  /** Processes that share the checks; default 1. */
  processes?: 1 | 2;
  /** Default 2,000 ms and 512 MiB. */
  limits?: CheckLimits;
  /** RUNTIME_HANG_TIMEOUT in milliseconds, of which a version that loads may use up a share; default 3,000. */
  hangTimeout?: number;
  binary?: string;
  environment?: Record<string, string>;
  log: Log;
}

export interface Checker {
  /**
   * Loads a version and runs its top level. `ok: false` says what is wrong with the version, also when that took more
   * processor time than `loadBudget`. Throws ERR_RUNTIME when the checker itself does not work, and the reason of the
   * signal when that aborts.
   */
  check(check: Check, signal: AbortSignal): Promise<CheckResult>;
  /** Starts the process ahead of the first check. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

const LIMITS: CheckLimits = { milliseconds: 2_000, memoryBytes: 512 * 2 ** 20 };
const HANG_TIMEOUT = 3_000;
/** How many times what it costs a version may seem to cost when the machine is busy. */
const NOISE = 2;
const TOGETHER = 8;

export function openChecker(options: CheckerOptions): Checker {
  return new ProcessChecker(options);
}

class ProcessChecker implements Checker {
  readonly #options: CheckerOptions;
  readonly #limits: CheckLimits;
  readonly #closing = new AbortController();
  readonly #together;
  readonly #alone = createGate(1);
  readonly #shared: (Promise<CheckProcess> | undefined)[];
  readonly #running = new Set<CheckProcess>();
  #started = 0;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    const processes = options.processes ?? 1;
    this.#shared = Array.from({ length: processes });
    this.#together = createGate(TOGETHER * processes);
    setMaxListeners(0, this.#closing.signal);
  }

  async check(check: Check, signal: AbortSignal): Promise<CheckResult> {
    const both = AbortSignal.any([signal, this.#closing.signal]);
    both.throwIfAborted();
    const work = this.#work(check, both);
    // What has begun in a process cannot be called back; nobody waits for it any more.
    work.catch(() => {});
    return Promise.race([work, aborted(both)]);
  }

  async warm(): Promise<void> {
    await this.#sharedProcess(0);
  }

  async close(): Promise<void> {
    this.#closing.abort(new WrkstError("ERR_RUNTIME", "the checker was closed"));
    await Promise.allSettled(this.#shared);
    await Promise.all([...this.#running].map((running) => running.close()));
  }

  async #work(check: Check, signal: AbortSignal): Promise<CheckResult> {
    const budget = loadBudget(check.artifact.length, this.#options.hangTimeout ?? HANG_TIMEOUT);
    const isFine = ({ cost }: Answered) => cost <= budget;
    const isDoubtful = ({ cost, hadNeighbours }: Answered) => hadNeighbours || cost <= budget * NOISE;
    const first = await this.#together.pass(signal, async () => (await this.#leastBusy()).run(check, signal));
    if (first.kind === "answer" && isFine(first)) return first.result;
    if (first.kind === "answer" && !isDoubtful(first)) return tooDear(first.cost, budget);
    // Its neighbours may be why it was lost, or took long; and a busy machine can double what is measured.
    const second = await this.#runAlone(check, signal);
    if (second.kind === "lost") return { ok: false, message: wordsFor(second.loss, this.#limits) };
    return isFine(second) ? second.result : tooDear(second.cost, budget);
  }

  /** In a fresh process: not even a check that was fine may have left anything behind. */
  #runAlone(check: Check, signal: AbortSignal): Promise<Outcome> {
    return this.#alone.pass(signal, async () => {
      const fresh = await this.#start(true);
      try {
        return await fresh.run(check, signal);
      } finally {
        await fresh.close();
        this.#running.delete(fresh);
      }
    });
  }

  async #leastBusy(): Promise<CheckProcess> {
    const processes = await Promise.all(this.#shared.map((_, index) => this.#sharedProcess(index)));
    return processes.reduce((least, next) => (next.inFlight < least.inFlight ? next : least));
  }

  async #sharedProcess(index: number): Promise<CheckProcess> {
    const present = this.#shared[index];
    const running = await present?.catch(() => undefined);
    if (running && !running.isUsedUp) return running;
    if (this.#shared[index] !== present) return this.#sharedProcess(index);
    if (running) this.#running.delete(running);
    const next = this.#start(false);
    this.#shared[index] = next;
    return next;
  }

  async #start(isAlone: boolean): Promise<CheckProcess> {
    this.#closing.signal.throwIfAborted();
    const started = await startCheckProcess({
      dataDir: this.#options.dataDir,
      runDir: this.#options.runDir,
      name: `check-${this.#started++ % 10_000}`,
      writeConfig: this.#options.writeConfig,
      limits: this.#limits,
      isAlone,
      binary: this.#options.binary,
      environment: this.#options.environment,
      log: this.#options.log,
    });
    this.#running.add(started);
    if (this.#closing.signal.aborted) await started.close();
    return started;
  }
}

function tooDear(cost: number, budget: number): CheckResult {
  return {
    ok: false,
    message: `the top level used ${Math.round(cost)} ms of processor time: expected at most ${budget} ms`,
    hint: "do the work at the first request instead of at the top level, or make the bundle smaller",
  };
}

function wordsFor(loss: Loss, limits: CheckLimits): string {
  if (loss === "time") return `the top level did not finish within ${limits.milliseconds / 1000} s`;
  if (loss === "memory") return `the top level used more than ${Math.round(limits.memoryBytes / 2 ** 20)} MiB`;
  return "the top level made the runtime crash";
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}
