// Builds functions in a pool of child processes, one build at a time in each, so that a build that takes too much can be
// ended without harm to any other. Every build ends: with a bundle, an error, or the limit.

import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { version } from "esbuild";
import { type ErrorReport, WrkstError } from "../errors.js";
import type { Bundle } from "../model.js";
import type { BundleRequest } from "./build.js";
import type { BuildAnswer, BuildMessage } from "./bundle-process.js";
import { type BundleLimits, DEFAULT_LIMITS, formatBytes } from "./limits.js";
import { membersOf, residentBytes } from "./process-memory.js";

/** Identity of bundler and options; part of every version id. The last number counts changes of our options. */
export const BUNDLER_ID = `esbuild@${version}/1`;

export interface BundlerOptions {
  /** Child processes at most; default: one per core. */
  processes?: number;
  limits?: Partial<BundleLimits>;
  /** The installer's cache, which links in a checkout may lead to. Nothing else outside a checkout is read. */
  cacheDir?: string;
  /** Milliseconds between two looks at the memory of a running build. */
  sampleInterval?: number;
}

export interface Bundler {
  /**
   * Builds one function from files on disk. Rejects with ERR_BUNDLE (position relative to `root`), ERR_BUNDLE_LIMIT, or
   * the signal's reason when it aborts.
   */
  bundle(request: BundleRequest, signal?: AbortSignal): Promise<Bundle>;
  /** Ends all child processes; what still waits is rejected. */
  close(): Promise<void>;
}

interface Job {
  request: BundleRequest;
  signal: AbortSignal | undefined;
  resolve: (bundle: Bundle) => void;
  reject: (reason: unknown) => void;
}

/** Starts nothing; child processes come with the first builds and stay. */
export function openBundler(options: BundlerOptions = {}): Bundler {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const most = Math.max(1, options.processes ?? availableParallelism());
  const queue: Job[] = [];
  const idle: Builder[] = [];
  const all = new Set<Builder>();
  let closed = false;

  function next(): void {
    while (queue.length > 0 && (idle.length > 0 || all.size < most)) {
      const builder = idle.pop() ?? new Builder(limits, options, retire);
      all.add(builder);
      const job = queue.shift()!;
      void builder.run(job).then((reusable) => {
        if (reusable && !closed) idle.push(builder);
        else builder.kill();
        next();
      });
    }
  }

  /** A builder whose processes are gone makes room for another. */
  function retire(builder: Builder): void {
    all.delete(builder);
    const index = idle.indexOf(builder);
    if (index >= 0) idle.splice(index, 1);
    if (!closed) next();
  }

  return {
    bundle: (request, signal) =>
      new Promise<Bundle>((resolve, reject) => {
        if (closed) throw new TypeError("the bundler is closed");
        if (signal?.aborted) throw signal.reason;
        const job: Job = { request, signal, resolve, reject };
        const abort = () => {
          const index = queue.indexOf(job);
          if (index >= 0) queue.splice(index, 1);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
        const settle = () => signal?.removeEventListener("abort", abort);
        job.resolve = (bundle) => {
          settle();
          resolve(bundle);
        };
        job.reject = (reason) => {
          settle();
          reject(reason);
        };
        queue.push(job);
        next();
      }),
    close: async () => {
      closed = true;
      const gone = new WrkstError("ERR_SUPERSEDED", "the bundler was closed");
      for (const job of queue.splice(0)) job.reject(gone);
      await Promise.all([...all].map((builder) => builder.end()));
    },
  };
}

/** An aborted build may finish within this time; then its process goes. Cheaper than a new process for a short build. */
const GRACE_MILLISECONDS = 250;
/** A process that holds more than this share of the limit after a build is replaced. */
const KEPT_SHARE = 0.5;

/** One child process with its esbuild, leader of a process group. */
class Builder {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #limits: BundleLimits;
  readonly #options: BundlerOptions;
  #members: number[] = [];
  #id = 0;
  #stderr = "";

  constructor(limits: BundleLimits, options: BundlerOptions, onExit: (builder: Builder) => void) {
    this.#limits = limits;
    this.#options = options;
    this.#child = fork(fileURLToPath(new URL("./bundle-process.js", import.meta.url)), [], {
      serialization: "advanced",
      detached: true,
      // Nothing of the agent's environment: no secrets, no NODE_PATH, no options for node.
      env: {},
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2000);
    });
    this.#hold(false);
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", () => {
        this.kill();
        resolve();
        onExit(this);
      });
      this.#child.once("error", () => resolve());
    });
  }

  /** Settles the job. Answers whether this process is fit for another. */
  async run(job: Job): Promise<boolean> {
    const over = new AbortController();
    this.#hold(true);
    const watch = this.#watch(job, over.signal);
    try {
      const answer = await Promise.race([this.#ask(job.request), watch]);
      if (answer === "aborted") return false;
      if (answer instanceof WrkstError) job.reject(answer);
      else if ("error" in answer) job.reject(errorOf(answer.error));
      else job.resolve(answer.bundle);
      // After an error that nobody foresaw, the state of the process is unknown.
      if (answer instanceof WrkstError || ("error" in answer && answer.error.code === "ERR_INTERNAL")) return false;
      return await this.#isSmall();
    } catch (error) {
      job.reject(error);
      return false;
    } finally {
      over.abort();
      this.#hold(false);
    }
  }

  kill(): void {
    // Somebody may wait for its end, or for the room it makes.
    this.#hold(true);
    try {
      process.kill(-this.#child.pid!, "SIGKILL");
    } catch {
      // Gone already.
    }
  }

  async end(): Promise<void> {
    this.kill();
    await this.#exited;
  }

  /** Whether the process keeps ours alive: only while it builds. */
  #hold(on: boolean): void {
    const stderr = this.#child.stderr as Socket | null;
    for (const handle of [this.#child, this.#child.channel, stderr]) {
      if (on) handle?.ref();
      else handle?.unref();
    }
  }

  #ask(request: BundleRequest): Promise<BuildAnswer> {
    const { outputBytes, modules } = this.#limits;
    const settings = { cacheDir: this.#options.cacheDir, limits: { outputBytes, modules } };
    const message: BuildMessage = { id: ++this.#id, request, settings };
    return new Promise((resolve, reject) => {
      const gone = () =>
        reject(
          new WrkstError("ERR_BUNDLE_LIMIT", "the bundler died while it built the function", { cause: this.#stderr }),
        );
      this.#child.once("exit", gone);
      this.#child.once("error", reject);
      const listen = (answer: BuildAnswer) => {
        if (answer.id !== message.id) return;
        this.#child.off("message", listen).off("exit", gone).off("error", reject);
        resolve(answer);
      };
      this.#child.on("message", listen);
      this.#child.send(message, (error) => error && gone());
    });
  }

  /** Answers when the build has taken too much, or a while after it was aborted; never, when `over` comes first. */
  async #watch({ signal }: Job, over: AbortSignal): Promise<WrkstError | "aborted"> {
    const { milliseconds, memoryBytes } = this.#limits;
    const deadline = performance.now() + milliseconds;
    let abandoned = Number.POSITIVE_INFINITY;
    signal?.addEventListener("abort", () => (abandoned = performance.now() + GRACE_MILLISECONDS), { once: true });
    for (;;) {
      const left = Math.min(deadline, abandoned) - performance.now();
      if (left <= 0) break;
      await setTimeout(Math.min(this.#options.sampleInterval ?? 50, left), undefined, { signal: over }).catch(() => {});
      if (over.aborted) return "aborted";
      if ((await this.#memory()) > memoryBytes) return limitError(`more than ${formatBytes(memoryBytes)} of memory`);
    }
    return signal?.aborted ? "aborted" : limitError(`more than ${milliseconds / 1000} s`);
  }

  async #memory(): Promise<number> {
    // esbuild starts with the first build, so the group is looked up until it is there.
    if (this.#members.length < 2) this.#members = await membersOf(this.#child.pid!);
    return residentBytes(this.#members, this.#child.pid!);
  }

  async #isSmall(): Promise<boolean> {
    if (this.#id % 16 !== 0 && this.#members.length === 0) return true;
    return (await this.#memory()) < this.#limits.memoryBytes * KEPT_SHARE;
  }
}

function limitError(what: string): WrkstError {
  return new WrkstError("ERR_BUNDLE_LIMIT", `the build took ${what}`, {
    hint: "make the bundle smaller: fewer or lighter dependencies, fewer generated files",
  });
}

function errorOf({ code, message, hint, position }: ErrorReport): WrkstError {
  return new WrkstError(code, message, { hint, position });
}
