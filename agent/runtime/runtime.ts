// The serving runtime: keeps a workerd running whatever functions do to it, and passes on control calls.
// At most one process at any time: the next starts only when the last is gone.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type {
  PrepareRequest,
  PrepareResult,
  RouteChange,
  RouteTable,
  RuntimeCounts,
  RuntimeFigures,
  RuntimeState,
} from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";
import type { RuntimeStatus } from "../model.js";
import { backoff, SERVED_WELL } from "./backoff.js";
import type { Control } from "./control.js";
import { type Freeze, isSuspicious, judge, SUSPICION } from "./culprit.js";
import type { D1Calls } from "./databases.js";
import type { RestartReason, Runtime, RuntimeEvent, RuntimeOptions } from "./front.js";
import { createHearing, type Hearing } from "./hearing.js";
import { beginLife, freezeOf, type Life, reasonOf } from "./life.js";
import { createLongCalls, isInLongCall, longCallLimit } from "./long-calls.js";
import { createMemoryGuard } from "./memory.js";
import { isSettled, pause, within } from "./patience.js";
import { createWards, type Wards } from "./wards.js";
import { createWatch } from "./watch.js";
import type { Ending } from "./workerd.js";

export type { Runtime, RuntimeEvent, RuntimeOptions };

export function openRuntime(options: RuntimeOptions): Runtime {
  return new Supervisor(options);
}

class Supervisor implements Runtime {
  readonly d1: D1Calls;
  readonly #options: RuntimeOptions;
  readonly #now: () => number;
  readonly #hearing: Hearing;
  #unhear = () => {};
  readonly #stopping = new AbortController();
  readonly #wards: Wards;
  #life: Life | undefined;
  #state: RuntimeStatus["state"] = "stopped";
  #supervision: Promise<void> = Promise.resolve();
  #waiting: (() => void)[] = [];
  #freezes: Freeze[] = [];
  #failures = 0;
  readonly #restarts: Record<RestartReason, number> = { crash: 0, hang: 0, "long-call": 0, memory: 0 };
  #lastRestart: RuntimeStatus["lastRestart"];
  #lastState: RuntimeState | undefined;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.d1 = createLongCalls(() => this.#living());
    this.#hearing = createHearing({ log: options.log, onLine: options.onTailLine ?? (async () => undefined) });
    this.#wards = createWards(options, {
      hear: (control) => this.#hearing.attach(control),
      onAssign: () => {
        if (this.#life) this.#quietly(this.#life.control.wards(this.#wards.assignment()));
      },
    });
  }

  async start(): Promise<void> {
    if (this.#state !== "stopped" || this.#stopping.signal.aborted) throw new TypeError("a runtime is started once");
    this.#state = "starting";
    try {
      const life = await this.#begin();
      await life.control.state(this.#options.hangTimeout * 4);
      this.#supervision = this.#supervise(life);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const wasRunning = this.#life !== undefined;
    await Promise.all([this.#wards.close(), this.#life?.workerd.stop(this.#options.grace ?? 5_000)]);
    await this.#supervision;
    this.#unhear();
    this.#life?.control.close();
    this.#life = undefined;
    this.#state = "stopped";
    for (const resume of this.#waiting.splice(0)) resume();
    await rm(join(this.#options.runDir, "control.sock"), { force: true });
    if (wasRunning) this.#options.onEvent({ kind: "runtime.stopped", message: "the runtime was stopped" });
  }

  status(): RuntimeStatus {
    return {
      state: this.#state,
      pid: this.#life?.workerd.pid ?? null,
      restarts: Object.values(this.#restarts).reduce((sum, count) => sum + count),
      isolates: this.#life ? (this.#lastState?.isolates ?? 0) : 0,
      ...(this.#lastRestart ? { lastRestart: this.#lastRestart } : {}),
    };
  }

  restarts(): Record<RestartReason, number> {
    return { ...this.#restarts };
  }

  isRunning(): boolean {
    return this.#life !== undefined && !this.#life.endedFor;
  }

  ports(): Record<string, number> {
    return { ...this.#life?.workerd.ports };
  }

  state(): Promise<RuntimeState> {
    return this.#repeated((control) => control.state(this.#options.hangTimeout * 4));
  }

  counts(timeout: number): Promise<RuntimeCounts[]> {
    return this.#ofEach((control) => control.counts(timeout));
  }

  figures(functions: string[], timeout: number): Promise<RuntimeFigures[]> {
    return this.#ofEach((control) => control.figures(functions, timeout));
  }

  /** What this process and those for suspects answer. */
  async #ofEach<T>(ask: (control: Control) => Promise<T>): Promise<T[]> {
    const life = this.#life;
    if (!life || life.endedFor) throw stopped();
    const [here, there] = await Promise.all([ask(life.control), this.#wards.each(ask)]);
    return [here, ...there];
  }

  async change(change: RouteChange): Promise<{ generation: number } | "out-of-step"> {
    const answer = await this.#repeated(async (control, isRepeat) => {
      // A new process has read the table, which the agent may have written with the change already in it.
      const state = isRepeat ? await control.state(this.#options.hangTimeout * 4) : undefined;
      return state?.generation === change.to ? { generation: change.to } : control.change(change);
    });
    if (answer !== "out-of-step") await this.#wards.change(change);
    return answer;
  }

  async replace(table: RouteTable): Promise<{ generation: number }> {
    const answer = await this.#repeated((control) => control.replace(table));
    await this.#wards.replace(table);
    return answer;
  }

  async prepare({ versions }: PrepareRequest): Promise<PrepareResult> {
    const assignment = this.#wards.assignment();
    const own = versions.filter((version) => assignment[version.function] === undefined);
    const [here, there] = await Promise.all([
      own.length ? (await this.#living()).control.prepare({ versions: own }) : { versions: {} },
      this.#wards.prepare(versions),
    ]);
    return { versions: { ...here.versions, ...there } };
  }

  async trace(on: boolean): Promise<void> {
    const life = await this.#living();
    await life.control.trace({ on, key: life.traceKey });
    life.tracing = on;
  }

  evict(functions: string[]): Promise<void> {
    return this.#repeated((control) => control.evict(functions));
  }

  listen(functions: string[]): Promise<void> {
    return this.#hearing.listen(functions);
  }

  /** Starts the process and the watch over it. */
  async #begin(): Promise<Life> {
    const trace = isSuspicious(this.#freezes, this.#now());
    const wards = this.#wards.assignment();
    const life = await beginLife(this.#options, { trace, wards, signal: this.#stopping.signal });
    if (this.#stopping.signal.aborted) {
      await life.workerd.stop(0);
      throw stopped();
    }
    this.#life = life;
    const assigned = this.#wards.assignment();
    if (JSON.stringify(assigned) !== JSON.stringify(wards)) this.#quietly(life.control.wards(assigned));
    this.#state = "running";
    this.#watch(life);
    this.#unhear = this.#hearing.attach(life.control);
    for (const resume of this.#waiting.splice(0)) resume();
    this.#options.onEvent({ kind: "runtime.started", message: `the runtime serves, pid ${life.workerd.pid}` });
    return life;
  }

  #watch(life: Life): void {
    const { hangTimeout, memoryLimit } = this.#options;
    const memory = createMemoryGuard({ limit: memoryLimit, patience: hangTimeout });
    const watch = createWatch({
      interval: hangTimeout / 6,
      limit: hangTimeout,
      patience: () => (isInLongCall(life) ? longCallLimit(hangTimeout) : 0),
      ping: async () => {
        this.#lastState = await life.control.state(hangTimeout * 4);
      },
      onSilent: () => {
        life.endedFor ??= isInLongCall(life) ? "long-call" : "hang";
        life.workerd.kill();
      },
      onTick: () => {
        if (life.tracedFromStart && life.tracing && !isSuspicious(this.#freezes, this.#now())) {
          life.tracing = false;
          this.#quietly(life.control.trace({ on: false, key: life.traceKey }));
        }
        this.#wards.release(this.#now());
        const bytes = life.workerd.residentBytes();
        if (bytes !== undefined && !life.endedFor) this.#boundMemory(life, bytes, memory.next(bytes, this.#now()));
      },
    });
    life.onAnswer = watch.answered;
    watch.start();
    life.workerd.ended.then(watch.stop);
  }

  #boundMemory(life: Life, bytes: number, step: "none" | "evict" | "replace"): void {
    if (step === "none") return;
    const used = `${inMiB(bytes)} in use, limit ${inMiB(this.#options.memoryLimit)}`;
    if (step === "evict") {
      this.#options.onEvent({ kind: "runtime.memory", message: `${used}: unloading functions` });
      this.#quietly(life.control.evict(this.#options.functionNames?.() ?? []));
    } else {
      this.#options.onEvent({ kind: "runtime.memory", message: `still ${used}: replacing the process` });
      life.endedFor = "memory";
      void life.workerd.stop(this.#options.grace ?? 5_000);
    }
  }

  /** Follows the process to its end, starts the next, and so on until stopped. */
  async #supervise(first: Life): Promise<void> {
    let life: Life | undefined = first;
    while (life) {
      const ending: Ending = await life.workerd.ended;
      this.#unhear();
      life.control.close();
      this.#life = undefined;
      if (this.#stopping.signal.aborted) return;
      this.#state = "restarting";
      await this.#report(life, ending);
      life = await this.#next(life);
    }
  }

  /** The next life, as soon as it can be had; undefined when stopped meanwhile. */
  async #next(past: Life): Promise<Life | undefined> {
    // A hang takes its time before it is one, so that hangs in a row need no growing pause: others want to be served.
    if (past.endedFor || this.#now() - past.since >= SERVED_WELL) this.#failures = 0;
    const { signal } = this.#stopping;
    for (;;) {
      const wait = backoff(++this.#failures);
      await pause(wait, signal);
      if (signal.aborted) return undefined;
      try {
        const life = await this.#begin();
        this.#restarts[past.endedFor ?? "crash"]++;
        return life;
      } catch (error) {
        if (signal.aborted) return undefined;
        const message = `${(error as Error).message}; next attempt in ${backoff(this.#failures + 1)} ms`;
        this.#options.onEvent({ kind: "runtime.start-failed", message });
      }
    }
  }

  async #report(life: Life, ending: Ending): Promise<void> {
    const now = this.#now();
    const reason = reasonOf(life, ending, this.#options.hangTimeout);
    this.#lastRestart = { at: new Date(now).toISOString(), reason };
    if (life.endedFor !== "memory") {
      this.#options.onEvent({ kind: life.endedFor ? "runtime.hung" : "runtime.crashed", message: reason });
    }
    const freeze = await freezeOf(life, ending, now);
    if (!freeze) return;
    this.#freezes = [...this.#freezes.filter(({ at }) => at > now - SUSPICION), freeze];
    this.#accuse(freeze);
  }

  #accuse(freeze: Freeze): void {
    const verdict = judge(freeze);
    if (verdict.kind === "culprit") {
      const how = freeze.isStatement ? "with a statement of SQL" : "nothing else was in flight";
      const message = `function "${verdict.name}" stopped the runtime: ${how}`;
      this.#wards.convict(verdict.name);
      this.#options.onEvent({ kind: "runtime.culprit", message, suspects: [verdict.name] });
    } else if (verdict.kind === "suspects") {
      this.#wards.suspect(verdict.suspects);
    }
  }

  /** The present life, waited for if need be. */
  async #living(): Promise<Life> {
    const deadline = this.#now() + this.#options.hangTimeout * 4;
    while (!this.#life || this.#life.endedFor) {
      if (this.#state === "stopped") throw stopped();
      const rest = Math.max(0, deadline - this.#now());
      await within(new Promise<void>((resolve) => this.#waiting.push(resolve)), rest, () => {
        return new WrkstError("ERR_RUNTIME", "the runtime is being restarted and did not come back in time");
      });
    }
    return this.#life;
  }

  /** Sends a call, and once more to the next life when the one it was sent to ended before it answered. */
  async #repeated<T>(call: (control: Control, isRepeat: boolean) => Promise<T>): Promise<T> {
    const life = await this.#living();
    try {
      return await call(life.control, false);
    } catch (error) {
      // A connection breaks a moment before the end of the process is known.
      if (!(await isSettled(life.workerd.ended, 500))) throw error;
      return call((await this.#living()).control, true);
    }
  }

  #quietly(call: Promise<unknown>): void {
    call.catch((error: unknown) => this.#options.log.warn({ err: error }, "a call to the runtime failed"));
  }
}

function stopped(): WrkstError {
  return new WrkstError("ERR_RUNTIME", "the runtime is stopped");
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
