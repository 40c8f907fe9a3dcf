// Runs the previews of one source: level-triggered, one branch at a time, after what production waits for. A branch that moved on
// pre-empts its older commit. Never decides what a preview is made of.
import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { behaviourOf, type ErrorReport, reportOf, WrkstError } from "../../errors.js";
import { labelsOf, matchesBranch } from "../../plan/branch-labels.js";
import type { NewEvent, PreviewRecord } from "../../store/index.js";
import { isDifferent, type PreviewPassDeps, type PreviewWanted, runPreview } from "./pass.js";

export interface PreviewLoopDeps extends PreviewPassDeps {
  /** Branches that get previews, as globs. */
  patterns: string[];
  /** Branches that sources follow in the same repository. */
  followed(): string[];
  /** All branches as they are: name → commit. */
  branches(signal: AbortSignal): Promise<Map<string, string>>;
  /** Makes the commits readable. */
  bringIn(branches: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void>;
  publish(): Promise<void>;
  /** Copies of what is gone may go. */
  tend(): void;
  log: { warn(fields: object, message: string): void; debug(fields: object, message: string): void };
}

interface Waiter {
  branch: string;
  /** Null: that it is gone. */
  commit: string | null;
  /** Undefined where there is no preview of the branch. */
  resolve(record: PreviewRecord | undefined): void;
}

interface Running {
  branch: string;
  commit: string;
  controller: AbortController;
}

const FIRST_RETRY = 5_000;
const LAST_RETRY = 300_000;

export class PreviewLoop {
  readonly #deps: PreviewLoopDeps;
  readonly #closing = new AbortController();
  #isPending = false;
  #isWorking = false;
  #waiters: Waiter[] = [];
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
    this.#isPending = true;
    if (this.#running) void this.#preempt(this.#running);
    if (!this.#isWorking) this.#idle = this.#work();
  }

  isPreviewed(branch: string): boolean {
    return matchesBranch(this.#deps.patterns, branch) && !this.#deps.followed().includes(branch);
  }

  /** The preview of a branch that was pushed: as it is when that commit, or a newer one, was worked off. */
  settled(branch: string, commit: string | null): Promise<PreviewRecord | undefined> {
    return new Promise((resolve) => {
      this.#waiters.push({ branch, commit, resolve });
      if (this.#closing.signal.aborted) this.#release();
      else this.wake();
    });
  }

  async close(): Promise<void> {
    const stopping = new WrkstError("ERR_SUPERSEDED", "the agent is stopping");
    this.#closing.abort(stopping);
    clearTimeout(this.#retry);
    this.#running?.controller.abort(stopping);
    await this.#idle;
    this.#release();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#isPending && !this.#closing.signal.aborted) {
      this.#isPending = false;
      clearTimeout(this.#retry);
      // Two things that happen at once, such as a push and what the watch saw of it, are one look.
      await this.#deps.calm();
      await this.#look().catch((error: unknown) => this.#tellFailure(error));
    }
    this.#isWorking = false;
    if (!this.#isPending) this.#release();
  }

  async #look(): Promise<void> {
    const { signal } = this.#closing;
    const wanted = await this.#wanted(signal);
    await this.#removeGone(wanted);
    const [records, production] = [this.#records(), this.#production()];
    const due = wanted.filter((one) => isDue(one, records.get(one.branch), production));
    for (const one of wanted) if (!due.includes(one)) this.#answer(one.branch, one.commit);
    if (due.length === 0) return;
    await this.#deps.bringIn(new Map(due.map(({ branch, commit }) => [branch, commit])), signal);
    for (const one of this.#inOrder(due)) {
      if (this.#isPending || signal.aborted) return;
      await this.#runOne(one);
    }
  }

  /** In the order of their names, with their labels. */
  async #wanted(signal: AbortSignal): Promise<(PreviewWanted & { branch: string })[]> {
    const { patterns, followed, passes } = this.#deps;
    if (patterns.length === 0) return [];
    const all = await this.#deps.branches(signal);
    const branches = [...all.keys()].filter((branch) => this.isPreviewed(branch)).sort();
    const labels = labelsOf(branches, followed());
    return branches.map((branch) => {
      const [commit, label] = [all.get(branch)!, labels.get(branch)!];
      return { branch, commit, label, handled: this.#digest([commit, label, passes.source.path]) };
    });
  }

  #digest(parts: string[]): string {
    const { passes, hasSecrets } = this.#deps;
    const all = [...parts, passes.environment ?? "", passes.bundlerId, hasSecrets];
    return createHash("sha256").update(JSON.stringify(all)).digest("hex");
  }

  #records(): Map<string, PreviewRecord> {
    const { registry, source } = this.#deps.passes;
    return new Map(
      registry.previews.all(source.name).flatMap((one) => (one.branch === null ? [] : [[one.branch, one] as const])),
    );
  }

  /** Whether a version differs from production as it is now. */
  #production(): IsDifferent {
    const { registry, source } = this.#deps.passes;
    const records = new Map(registry.functions().map((record) => [record.name, record]));
    return (name, id) => isDifferent(source.name, records.get(name), id);
  }

  async #removeGone(wanted: { branch: string }[]): Promise<void> {
    const { passes, publish, tend } = this.#deps;
    const there = new Set(wanted.map(({ branch }) => branch));
    const gone = [...this.#records()].filter(([branch]) => !there.has(branch));
    for (const [branch, { id }] of gone) {
      const message = `the preview of the branch "${branch}" was removed`;
      passes.registry.previews.remove(id, [{ kind: "preview.removed", source: passes.source.name, message }]);
    }
    if (gone.length) {
      await publish();
      tend();
    }
    // A look that began while git was still moving the references of a push has not seen all of them.
    const isGone = ({ branch, commit }: Waiter) => !there.has(branch) && (commit === null || !this.#isPending);
    this.#resolve(isGone, undefined);
  }

  /** What somebody waits for comes first. */
  #inOrder<T extends { branch: string }>(due: T[]): T[] {
    const awaited = new Set(this.#waiters.map(({ branch }) => branch));
    return [...due].sort((a, b) => Number(awaited.has(b.branch)) - Number(awaited.has(a.branch)));
  }

  async #runOne(wanted: PreviewWanted & { branch: string }): Promise<void> {
    const { branch, commit } = wanted;
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    this.#running = { branch, commit, controller };
    try {
      await this.#deps.calm();
      await runPreview(this.#deps, wanted, controller.signal);
      await this.#deps.publish();
      this.#attempt = 0;
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#fail(wanted, reportOf(error));
    } finally {
      this.#running = undefined;
    }
    this.#answer(branch, commit);
  }

  /** Noted as handled, unless trying again may help. */
  #fail({ branch, commit, label, handled }: PreviewWanted, error: ErrorReport): void {
    const { registry, source } = this.#deps.passes;
    const isPassing = behaviourOf(error.code).retry === "backoff";
    const before = registry.previews.open({ source: source.name, branch, commit, label });
    const message = `the branch "${branch}" could not be previewed: ${error.message}`;
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
    if (!all || all.get(branch) === commit) return;
    controller.abort(new WrkstError("ERR_SUPERSEDED", `the branch "${branch}" moved on`));
  }

  /** Another commit than the one that was waited for will do, unless there is to be another look. */
  #answer(branch: string, commit: string): void {
    const isFit = (waiter: Waiter) => waiter.branch === branch && (waiter.commit === commit || !this.#isPending);
    if (this.#waiters.some(isFit)) this.#resolve(isFit, this.#records().get(branch));
  }

  #resolve(fits: (waiter: Waiter) => boolean, record: PreviewRecord | undefined): void {
    const done = this.#waiters.filter(fits);
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve(record);
  }

  /** Whoever still waits when all is done waits for something that is no more. */
  #release(): void {
    const records = this.#closing.signal.aborted ? new Map<string, PreviewRecord>() : this.#records();
    for (const { branch, resolve } of this.#waiters.splice(0)) resolve(records.get(branch));
  }
}

type IsDifferent = (name: string, version: string) => boolean;

function isDue({ handled }: PreviewWanted, record: PreviewRecord | undefined, differs: IsDifferent): boolean {
  return record?.handled !== handled || (!record.error && isStale(record, differs));
}

/** Production has moved, so that another set of functions differs from it. */
function isStale({ versions, functions }: PreviewRecord, differs: IsDifferent): boolean {
  const failed = new Set(functions.flatMap(({ name, error }) => (error ? [name] : [])));
  const there = new Set(functions.flatMap(({ name, version }) => (version === null ? [] : [name])));
  return Object.entries(versions).some(([name, id]) => !failed.has(name) && differs(name, id) !== there.has(name));
}
