// Runs the previews of one source: level-triggered, one branch at a time, after what production waits for. A branch that moved on
// pre-empts its older commit. Never decides what a preview is made of.

import { setMaxListeners } from "node:events";
import { behaviourOf, type ErrorReport, reportOf, WrkstError } from "../../errors.js";
import type { NewEvent, PreviewRecord } from "../../store/index.js";
import { type PreviewWanted, runPreview } from "./pass.js";
import { type Waiter, Waiting } from "./waiting.js";
import {
  type BranchItem,
  branchesWanted,
  commitsAsked,
  dueOf,
  type Item,
  isPreviewed,
  keyOfAsked,
  recordsOf,
  type WantedDeps,
} from "./wanted.js";

export interface PreviewLoopDeps extends WantedDeps {
  /** Makes the commits readable. */
  bringIn(branches: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void>;
  publish(): Promise<void>;
  /** Brings a commit in, by its 40 digits. @throws WrkstError ERR_NOT_FOUND */
  find(commit: string, signal: AbortSignal): Promise<unknown>;
  /** Nothing of the source moves: what is there stays, and waits for whoever resumes it. */
  isSuspended(): boolean;
  /** Copies of what is gone may go. */
  tend(): void;
  /** A preview is there, or is another one. */
  onMade(): void;
  log: { warn(fields: object, message: string): void; debug(fields: object, message: string): void };
}

interface Running {
  key: string;
  /** Null where only a person ends it. */
  branch: string | null;
  commit: string;
  controller: AbortController;
}

const FIRST_RETRY = 5_000;
const LAST_RETRY = 300_000;

export class PreviewLoop {
  readonly #deps: PreviewLoopDeps;
  readonly #closing = new AbortController();
  readonly #waiting = new Waiting();
  #isPending = false;
  #isWorking = false;
  #running: Running | undefined;
  #idle: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;

  constructor(deps: PreviewLoopDeps) {
    this.#deps = deps;
    setMaxListeners(0, this.#closing.signal);
  }

  get isBusy(): boolean {
    return this.#isWorking;
  }

  /** Branches, or what production serves, may have changed. Cheap, at any time, any number of times. */
  wake(): void {
    if (this.#closing.signal.aborted) return;
    if (this.#deps.isSuspended()) {
      if (!this.#isWorking) this.#release();
      return;
    }
    this.#isPending = true;
    if (this.#running) void this.#preempt(this.#running);
    if (!this.#isWorking) this.#idle = this.#work();
  }

  isPreviewed(branch: string): boolean {
    return isPreviewed(this.#deps, branch);
  }

  /** The preview of a branch that was pushed: as it is when that commit, or a newer one, was worked off. */
  settled(branch: string, commit: string | null): Promise<PreviewRecord | undefined> {
    return new Promise((resolve) => {
      this.#wait({ key: branch, commit, resolve });
    });
  }

  /** The preview of a commit that was asked for, once it is made; as it is where that may still take long. */
  made({ id, commit }: Pick<PreviewRecord, "id" | "commit">): Promise<PreviewRecord | undefined> {
    return new Promise((resolve) => {
      this.#wait({ key: keyOfAsked(id), commit, resolve });
    });
  }

  /** A commit that was asked for is worked on, and not served yet, whatever is recorded. */
  isMaking(id: string): boolean {
    return this.#running?.key === keyOfAsked(id);
  }

  /** Work on it ends, since it was removed. */
  drop(id: string): void {
    const key = keyOfAsked(id);
    if (this.#running?.key === key)
      this.#running.controller.abort(new WrkstError("ERR_SUPERSEDED", "the preview was removed"));
    this.#waiting.resolve((waiter) => waiter.key === key);
  }

  #wait(waiter: Waiter): void {
    this.#waiting.add(waiter);
    if (this.#closing.signal.aborted) this.#release();
    else this.wake();
  }

  async close(): Promise<void> {
    const stopping = new WrkstError("ERR_SUPERSEDED", "the agent is stopping");
    this.#closing.abort(stopping);
    clearTimeout(this.#retry);
    this.#running?.controller.abort(stopping);
    await this.#idle;
    this.#release();
  }

  /** Ends what is under way, and settles when nothing is. */
  async interrupt(reason: WrkstError): Promise<void> {
    clearTimeout(this.#retry);
    this.#running?.controller.abort(reason);
    await this.#idle;
  }

  get #isStopped(): boolean {
    return this.#closing.signal.aborted || this.#deps.isSuspended();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#isPending && !this.#isStopped) {
      this.#isPending = false;
      clearTimeout(this.#retry);
      // Two things that happen at once, such as a push and what the watch saw of it, are one look.
      await this.#deps.calm();
      await this.#look().catch((error: unknown) => this.#tellFailure(error));
    }
    this.#isWorking = false;
    if (this.#isStopped) this.#isPending = false;
    if (!this.#isPending) this.#release();
  }

  async #look(): Promise<void> {
    const { signal } = this.#closing;
    for (const one of commitsAsked(this.#deps.passes)) if (!this.#isStopped) await this.#runOne(one);
    const wanted = await branchesWanted(this.#deps, signal);
    if (this.#isStopped) return;
    await this.#removeGone(wanted);
    const due = dueOf(this.#deps.passes, wanted);
    for (const one of wanted) if (!due.includes(one)) this.#answer(one);
    if (due.length === 0) return;
    await this.#deps.bringIn(new Map(due.map(({ key, commit }) => [key, commit])), signal);
    for (const one of this.#inOrder(due)) {
      if (this.#isPending || this.#isStopped) return;
      await this.#runOne(one);
    }
  }

  async #removeGone(wanted: BranchItem[]): Promise<void> {
    const { passes, publish, tend } = this.#deps;
    const there = new Set(wanted.map(({ key }) => key));
    const gone = [...recordsOf(passes)].filter(([key, { branch }]) => branch !== null && !there.has(key));
    for (const [branch, { id }] of gone) {
      const message = `the preview of the branch "${branch}" was removed`;
      passes.registry.previews.remove(id, [{ kind: "preview.removed", source: passes.source.name, message }]);
    }
    if (gone.length) {
      await publish();
      tend();
    }
    // A look that began while git was still moving the references of a push has not seen all of them.
    const asked = new Set([...recordsOf(passes)].flatMap(([key, { branch }]) => (branch === null ? [key] : [])));
    const isGone = ({ key, commit }: Waiter) =>
      !there.has(key) && !asked.has(key) && (commit === null || !this.#isPending);
    this.#waiting.resolve(isGone);
  }

  /** What somebody waits for comes first. */
  #inOrder(due: BranchItem[]): BranchItem[] {
    const awaited = this.#waiting.keys();
    return [...due].sort((a, b) => Number(awaited.has(b.key)) - Number(awaited.has(a.key)));
  }

  async #runOne(wanted: Item): Promise<void> {
    const { key, commit, of } = wanted;
    const branch = "branch" in of ? of.branch : null;
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    this.#running = { key, branch, commit, controller };
    try {
      await this.#deps.calm();
      if (branch === null) await this.#deps.find(commit, controller.signal);
      await runPreview(this.#deps, wanted, controller.signal);
      await this.#deps.publish();
      this.#deps.onMade();
      this.#deps.tend();
      this.#attempt = 0;
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#fail(wanted, reportOf(error));
    } finally {
      this.#running = undefined;
    }
    this.#answer(wanted);
  }

  /** Noted as handled, unless trying again may help. */
  #fail({ of, commit, label, handled }: PreviewWanted, error: ErrorReport): void {
    const { registry, source } = this.#deps.passes;
    const isPassing = behaviourOf(error.code).retry === "backoff";
    const { previews } = registry;
    const before =
      "branch" in of
        ? previews.open({ source: source.name, branch: of.branch, commit, label })
        : previews.byId(of.asked);
    if (!before) return;
    const what = "branch" in of ? `the branch "${of.branch}"` : `"${of.function}" at the commit ${commit.slice(0, 12)}`;
    const message = `${what} could not be previewed: ${error.message}`;
    const event: NewEvent = { kind: "preview.failed", source: source.name, message, error };
    const isKnown = before.error?.message === error.message;
    registry.previews.fail(before.id, { handled: isPassing ? "" : handled, error }, isKnown ? [] : [event]);
    if (isPassing) this.#again();
  }

  #tellFailure(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#deps.log.warn(
      { err: reportOf(error), source: this.#deps.passes.source.name },
      "previews could not be looked after",
    );
    this.#again();
  }

  #again(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.wake(), Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#attempt++));
    this.#retry.unref();
  }

  /** The commit that is worked on may be the branch's no longer. */
  async #preempt({ branch, commit, controller }: Running): Promise<void> {
    const all = await this.#deps.branches(controller.signal).catch(() => undefined);
    if (branch === null || !all || all.get(branch) === commit) return;
    controller.abort(new WrkstError("ERR_SUPERSEDED", `the branch "${branch}" moved on`));
  }

  /** Another commit than the one that was waited for will do, unless there is to be another look. */
  #answer({ key, commit }: Item): void {
    const isFit = (waiter: Waiter) => waiter.key === key && (waiter.commit === commit || !this.#isPending);
    this.#waiting.resolve(isFit, () => recordsOf(this.#deps.passes).get(key));
  }

  /** Whoever still waits when all is done waits for something that is no more. */
  #release(): void {
    this.#waiting.release(this.#closing.signal.aborted ? new Map() : recordsOf(this.#deps.passes));
  }
}
