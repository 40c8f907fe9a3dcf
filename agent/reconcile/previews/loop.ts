// Runs the previews of one source: level-triggered, one branch at a time, after what production waits for. A branch that moved on
// pre-empts its older commit. Never decides what a preview is made of.
import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { behaviourOf, type ErrorReport, reportOf, WrkstError } from "../../errors.js";
import { labelsOf, matchesBranch } from "../../plan/branch-labels.js";
import type { NewEvent, PreviewRecord } from "../../store/index.js";
import { migrationsOf } from "./migrations.js";
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

interface Waiter {
  key: string;
  /** Null: that it is gone. */
  commit: string | null;
  /** Undefined where there is no preview of the branch. */
  resolve(record: PreviewRecord | undefined): void;
}

interface Running {
  key: string;
  /** Null where only a person ends it. */
  branch: string | null;
  commit: string;
  controller: AbortController;
}

/** What is to be made, by the key under which somebody waits for it: a branch, or what no branch can be called. */
interface Item extends PreviewWanted {
  key: string;
}
type BranchItem = Item & { of: { branch: string } };

const keyOfAsked = (id: string) => `commit:${id}`;
/** Nothing makes it anew but somebody who asks again. */
const HANDLED = "handled";

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
    if (this.#deps.isSuspended()) {
      if (!this.#isWorking) this.#release();
      return;
    }
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
    this.#resolve((waiter) => waiter.key === key, undefined);
  }

  #wait(waiter: Waiter): void {
    this.#waiters.push(waiter);
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
    for (const one of this.#asked()) if (!this.#isStopped) await this.#runOne(one);
    const wanted = await this.#wanted(signal);
    if (this.#isStopped) return;
    await this.#removeGone(wanted);
    const [records, production] = [this.#records(), this.#production()];
    const due = wanted.filter((one) => isDue(one, records.get(one.key), production));
    for (const one of wanted) if (!due.includes(one)) this.#answer(one);
    if (due.length === 0) return;
    await this.#deps.bringIn(new Map(due.map(({ key, commit }) => [key, commit])), signal);
    for (const one of this.#inOrder(due)) {
      if (this.#isPending || this.#isStopped) return;
      await this.#runOne(one);
    }
  }

  /** In the order of their names, with their labels. */
  async #wanted(signal: AbortSignal): Promise<BranchItem[]> {
    const { patterns, followed, passes } = this.#deps;
    if (patterns.length === 0) return [];
    const all = await this.#deps.branches(signal);
    const branches = [...all.keys()].filter((branch) => this.isPreviewed(branch)).sort();
    const labels = labelsOf(branches, followed());
    return branches.map((branch) => {
      const [commit, label] = [all.get(branch)!, labels.get(branch)!];
      const handled = this.#digest([commit, label, passes.source.path]);
      return { key: branch, of: { branch }, commit, label, handled };
    });
  }

  /** Commits that somebody asked for and that are not made, in the order in which they were. */
  #asked(): Item[] {
    const { registry, source } = this.#deps.passes;
    const waiting = registry.previews
      .all(source.name)
      .filter(({ branch, handled }) => branch === null && handled === "");
    return waiting
      .sort((a, b) => a.createdAt - b.createdAt)
      .map(({ id, commit, label, function: name }) => {
        return { key: keyOfAsked(id), of: { asked: id, function: name ?? "" }, commit, label, handled: HANDLED };
      });
  }

  #digest(parts: string[]): string {
    const { passes, hasSecrets } = this.#deps;
    const all = [...parts, passes.environment ?? "", passes.bundlerId, hasSecrets];
    return createHash("sha256").update(JSON.stringify(all)).digest("hex");
  }

  #records(): Map<string, PreviewRecord> {
    const { registry, source } = this.#deps.passes;
    return new Map(registry.previews.all(source.name).map((one) => [one.branch ?? keyOfAsked(one.id), one]));
  }

  /** Whether a version differs from production as it is now. */
  #production(): IsDifferent {
    const { registry, source } = this.#deps.passes;
    const records = new Map(registry.functions().map((record) => [record.name, record]));
    return (name, id, migrates) =>
      migrates === undefined
        ? isDifferent(source.name, records.get(name), id)
        : isDifferent(source.name, records.get(name), id) || migrationsOf(registry, records.get(name)) === migrates;
  }

  async #removeGone(wanted: BranchItem[]): Promise<void> {
    const { passes, publish, tend } = this.#deps;
    const there = new Set(wanted.map(({ key }) => key));
    const gone = [...this.#records()].filter(([key, { branch }]) => branch !== null && !there.has(key));
    for (const [branch, { id }] of gone) {
      const message = `the preview of the branch "${branch}" was removed`;
      passes.registry.previews.remove(id, [{ kind: "preview.removed", source: passes.source.name, message }]);
    }
    if (gone.length) {
      await publish();
      tend();
    }
    // A look that began while git was still moving the references of a push has not seen all of them.
    const asked = new Set([...this.#records()].flatMap(([key, { branch }]) => (branch === null ? [key] : [])));
    const isGone = ({ key, commit }: Waiter) =>
      !there.has(key) && !asked.has(key) && (commit === null || !this.#isPending);
    this.#resolve(isGone, undefined);
  }

  /** What somebody waits for comes first. */
  #inOrder(due: BranchItem[]): BranchItem[] {
    const awaited = new Set(this.#waiters.map(({ key }) => key));
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
    if (this.#waiters.some(isFit)) this.#resolve(isFit, this.#records().get(key));
  }

  #resolve(fits: (waiter: Waiter) => boolean, record: PreviewRecord | undefined): void {
    const done = this.#waiters.filter(fits);
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve(record);
  }

  /** Whoever still waits when all is done waits for something that is no more. */
  #release(): void {
    const records = this.#closing.signal.aborted ? new Map<string, PreviewRecord>() : this.#records();
    for (const { key, resolve } of this.#waiters.splice(0)) resolve(records.get(key));
  }
}

/** `migrates`: where only migrations differed, a digest of production's at that time. */
type IsDifferent = (name: string, version: string, migrates: string | undefined) => boolean;

function isDue({ handled }: PreviewWanted, record: PreviewRecord | undefined, differs: IsDifferent): boolean {
  return record?.handled !== handled || (!record.error && isStale(record, differs));
}

/** Production has moved, so that another set of functions differs from it. */
function isStale({ versions, functions }: PreviewRecord, differs: IsDifferent): boolean {
  const failed = new Set(functions.flatMap(({ name, error }) => (error ? [name] : [])));
  const there = new Set(functions.flatMap(({ name, version }) => (version === null ? [] : [name])));
  const migrates = new Map(functions.map((one) => [one.name, one.migrates]));
  return Object.entries(versions).some(
    ([name, id]) => !failed.has(name) && differs(name, id, migrates.get(name)) !== there.has(name),
  );
}
