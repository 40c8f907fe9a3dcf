// Runs the passes of one source: level-triggered, one at a time, the newest revision first, retries with backoff.
// Never decides what a pass does; a wake-up during a pass always causes another one.
import { setMaxListeners } from "node:events";
import { behaviourOf, type ErrorReport, reportOf, WrkstError } from "../errors.js";
import type { DeploymentCause, PassProgress, PassReport } from "../model.js";

export interface PassRequest {
  cause: DeploymentCause;
  author: string;
  /** Plan although the revision was handled before: the word of a person, or a retry. */
  force: boolean;
  /** Remove beyond the prune limit. */
  prune: boolean;
  /** Commit that was announced and may not show yet. */
  goal?: string;
}

export interface PassRun extends PassRequest {
  signal: AbortSignal;
  observe(progress: PassProgress): void;
  /** Called when the switch begins: from here on the pass is not pre-empted. Throws when it already was. */
  commit(): void;
}

export interface LoopDeps {
  source: string;
  /** The commit that the source shows now, cheaply. Rejects when it cannot be read. */
  peek(signal: AbortSignal): Promise<string>;
  run(pass: PassRun): Promise<PassReport>;
  log(report: PassReport, request: PassRequest): void;
  random?: () => number;
  setTimer?: (milliseconds: number, fire: () => void) => { cancel(): void };
}

export interface SyncOptions extends Partial<PassRequest> {
  observe?: (progress: PassProgress) => void;
  /** Commit that is asked for: a pass that handles it already, or was the last to, is this one's answer. */
  commit?: string;
  /** Go on waiting when a newer revision takes over (default), or answer "superseded" at once. */
  untilSettled?: boolean;
}

interface Waiter {
  options: SyncOptions;
  resolve(report: PassReport): void;
}

/** A pass with all that it told so far, so that who comes late hears it too. */
interface Running {
  controller: AbortController;
  commit: string | undefined;
  committed: boolean;
  progress: PassProgress[];
  waiters: Waiter[];
}

/** Of a pass that nobody asked for. */
export const OWN_AUTHOR = "wrkst";

const FIRST_RETRY = 1_000;
const LAST_RETRY = 300_000;

export class Loop {
  readonly #deps: LoopDeps;
  #pending: PassRequest | undefined;
  #waiting: Waiter[] = [];
  #running: Running | undefined;
  #last: { pass: Running; report: PassReport } | undefined;
  #working = false;
  #retry: { cancel(): void } | undefined;
  #retryAt: number | undefined;
  #attempt = 0;
  #closed = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(deps: LoopDeps) {
    this.#deps = deps;
  }

  /** Something may have changed: look, soon. Cheap and safe to call at any time, any number of times. */
  wake(request: Partial<PassRequest> = {}): void {
    if (this.#closed) return;
    this.#pending = merge(this.#pending, request);
    if (this.#running) void this.#preempt(this.#running);
    else if (!this.#working) this.#idle = this.#work();
  }

  /** When what failed is tried again, milliseconds since 1970; undefined where nothing waits. */
  get retryAt(): number | undefined {
    return this.#retryAt;
  }

  /** Settles when no pass is under way and none waits. */
  async calm(): Promise<void> {
    while (this.#working) await this.#idle;
  }

  /** A pass that begins after this call; answers its report. Never rejects for what went wrong in the pass. */
  sync(options: SyncOptions = {}): Promise<PassReport> {
    if (this.#closed) return Promise.reject(new WrkstError("ERR_SUPERSEDED", "the agent is stopping"));
    return new Promise((resolve) => {
      const waiter = { options, resolve };
      if (this.#join(waiter)) return;
      this.#waiting.push(waiter);
      this.wake(options);
    });
  }

  /** A push is often seen by the watch before its own notice arrives: then its pass is under way or done. */
  #join(waiter: Waiter): boolean {
    const { commit, observe } = waiter.options;
    if (commit === undefined) return false;
    const running = this.#running;
    if (running && (running.commit === undefined || running.commit === commit)) {
      for (const progress of running.progress) observe?.(progress);
      running.waiters.push(waiter);
      return true;
    }
    return !running && !this.#pending && this.#answerFromLast(waiter);
  }

  #answerFromLast({ options, resolve }: Waiter): boolean {
    const last = this.#last;
    if (last === undefined || last.pass.commit !== options.commit) return false;
    for (const progress of last.pass.progress) options.observe?.(progress);
    resolve(last.report);
    return true;
  }

  /** Ends the running pass unless it is switching, and waits for it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    if (this.#running && !this.#running.committed) this.#running.controller.abort(stopping());
    await this.#idle;
    for (const waiter of this.#waiting.splice(0)) waiter.resolve(this.#failure(stopping()));
  }

  /** Ends the running pass unless it is switching, forgets what waits for its turn, and settles when nothing runs. */
  async interrupt(reason: WrkstError): Promise<void> {
    this.#pending = undefined;
    if (this.#running && !this.#running.committed) this.#running.controller.abort(reason);
    await this.#idle;
    this.#retry?.cancel();
    this.#retryAt = undefined;
    for (const waiter of this.#waiting.splice(0)) waiter.resolve(this.#failure(reason));
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#pending && !this.#closed) {
      const request = this.#pending;
      this.#pending = undefined;
      this.#retry?.cancel();
      this.#retryAt = undefined;
      const running: Running = {
        controller: new AbortController(),
        commit: undefined,
        committed: false,
        progress: [],
        waiters: this.#waiting.splice(0),
      };
      const report = await this.#runOne(request, running);
      this.#deps.log(report, request);
      if (running.commit !== undefined && !report.error) this.#last = { pass: running, report };
      this.#settle(running, report);
      this.#planRetry(report, request);
    }
    this.#working = false;
  }

  async #runOne(request: PassRequest, running: Running): Promise<PassReport> {
    this.#running = running;
    // Every function that is built listens, hundreds at a time: no leak to be warned of.
    setMaxListeners(0, running.controller.signal);
    const observe = (progress: PassProgress) => {
      if (progress.kind === "planned" || progress.kind === "refused") running.commit = progress.revision.commit;
      running.progress.push(progress);
      for (const waiter of running.waiters) waiter.options.observe?.(progress);
    };
    const commit = () => {
      running.controller.signal.throwIfAborted();
      running.committed = true;
    };
    try {
      return await this.#deps.run({ ...request, signal: running.controller.signal, observe, commit });
    } catch (error) {
      return this.#failure(running.controller.signal.aborted ? running.controller.signal.reason : error);
    } finally {
      this.#running = undefined;
    }
  }

  /** A wake-up arrived during a pass: when the source moved on, the pass works for nothing. */
  async #preempt(running: Running): Promise<void> {
    if (running.committed || running.commit === undefined) return;
    const commit = await this.#deps.peek(running.controller.signal).catch(() => undefined);
    if (commit === undefined || commit === running.commit || running.committed) return;
    running.controller.abort(new WrkstError("ERR_SUPERSEDED", `a newer revision took over: ${commit.slice(0, 12)}`));
  }

  #settle({ waiters, commit }: Running, report: PassReport): void {
    const superseded = report.result === "superseded" && this.#pending !== undefined;
    for (const waiter of waiters) {
      // Joined while it was not known yet which commit the pass would handle: it may have been another one, or have
      // found that the pass before it had done everything.
      const { commit: wanted } = waiter.options;
      if (wanted !== undefined && commit === undefined && this.#answerFromLast(waiter)) continue;
      // A pass that never came to know a commit may have looked, in vain, before the wanted one was there.
      const another = wanted !== undefined && commit !== wanted && !superseded;
      if (another && !report.to?.endsWith(wanted)) this.#ask(waiter);
      else if (superseded && waiter.options.untilSettled !== false) this.#waiting.push(waiter);
      else waiter.resolve(report);
    }
  }

  #ask(waiter: Waiter): void {
    const { commit: _, ...options } = waiter.options;
    this.#waiting.push({ ...waiter, options });
    this.#pending = merge(this.#pending, options);
  }

  #planRetry(report: PassReport, request: PassRequest): void {
    const errors = [report.error, ...report.functions.map((outcome) => outcome.error)].filter(
      (error) => error !== undefined,
    );
    if (this.#pending || this.#closed || !errors.some(isPassing)) {
      this.#attempt = 0;
      return;
    }
    const { random = Math.random, setTimer = startTimer } = this.#deps;
    const wait = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#attempt++) * (0.75 + random() / 2);
    this.#retryAt = Date.now() + wait;
    this.#retry = setTimer(wait, () => this.wake({ cause: request.cause, author: request.author, force: true }));
  }

  #failure(thrown: unknown): PassReport {
    const error = reportOf(thrown);
    return {
      source: this.#deps.source,
      from: null,
      to: null,
      result: error.code === "ERR_SUPERSEDED" || error.code === "ERR_SUSPENDED" ? "superseded" : "failed",
      functions: [],
      error,
      phases: {},
      milliseconds: 0,
    };
  }
}

function isPassing(error: ErrorReport): boolean {
  return behaviourOf(error.code).retry === "backoff";
}

/** Two wake-ups become one: the stronger word counts, the later goal, and the cause that a person gave. */
function merge(before: PassRequest | undefined, request: Partial<PassRequest>): PassRequest {
  const goal = request.goal ?? before?.goal;
  return {
    cause: request.cause ?? before?.cause ?? "sync",
    author: request.author ?? before?.author ?? OWN_AUTHOR,
    force: Boolean(before?.force || request.force),
    prune: Boolean(before?.prune || request.prune),
    ...(goal === undefined ? {} : { goal }),
  };
}

function stopping(): WrkstError {
  return new WrkstError("ERR_SUPERSEDED", "the agent is stopping");
}

function startTimer(milliseconds: number, fire: () => void): { cancel(): void } {
  const timer = setTimeout(fire, milliseconds);
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
}
