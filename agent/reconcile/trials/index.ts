// Conducts trials: while there are any, asks the runtime for their figures again and again, and does what was decided. The
// registry says which there are; nothing is asked and no timer runs while there are none.
import { setTimeout as pause } from "node:timers/promises";
import type { RuntimeFigures } from "../../../runtime/wire.js";
import { type Decision, decideTrial, type Standing, statusOfTrial } from "../../deploy/trial.js";
import { reportOf } from "../../errors.js";
import type { Trial, TrialStatus } from "../../model.js";
import type { FunctionRecord, Registry } from "../../store/index.js";
import { createTally, type Tally } from "./tally.js";

export interface TrialsDeps {
  registry: Registry;
  runtime: { figures(functions: string[], timeout: number): Promise<RuntimeFigures[]> };
  moves: {
    goBack(functionId: string, trial: Trial, reason: string): Promise<void>;
    advance(functionId: string, trial: Trial, step: number): Promise<void>;
    pass(functionId: string, trial: Trial): Promise<void>;
  };
  log: { warn(fields: object, message: string): void };
  now?: () => number;
  /** Milliseconds between two looks at the figures. */
  interval?: number;
}

export interface TrialConduct {
  /** There may be trials now. Cheap. */
  look(): void;
  /** Of a function, by its id. */
  status(functionId: string): TrialStatus | undefined;
  close(): Promise<void>;
}

const INTERVAL = 200;
/** Milliseconds that the runtime has to answer. */
const PATIENCE = 1_000;
/** What could not be done, since a version does not load or is not well, is tried again after so many milliseconds. */
const AFTER_FAILURE = 2_000;

export function createTrials(deps: TrialsDeps): TrialConduct {
  const { registry, runtime, moves, log, now = Date.now, interval = INTERVAL } = deps;
  const closing = new AbortController();
  const tallies = new Map<string, Tally>();
  /** What is being done, by function id. */
  const acting = new Map<string, Promise<void>>();
  const restsUntil = new Map<string, number>();
  let working: Promise<void> | undefined;

  function look(): void {
    if (!closing.signal.aborted && follow() > 0) working ??= work();
  }

  async function work(): Promise<void> {
    while (!closing.signal.aborted && follow() > 0) {
      await tick().catch((error: unknown) => log.warn({ err: reportOf(error) }, "trials could not be looked at"));
      await pause(interval, undefined, { signal: closing.signal }).catch(() => undefined);
    }
    working = undefined;
  }

  /** Tallies of the trials that there are; how many. */
  function follow(): number {
    const trials = registry.trials();
    for (const [id, { trial }] of tallies) {
      const present = trials.get(id);
      if (present?.version === trial.version && present.beganAt === trial.beganAt) tallies.get(id)!.follow(present);
      else tallies.delete(id);
    }
    for (const [id, trial] of trials) {
      const record = tallies.has(id) ? undefined : registry.functionById(id);
      if (record) tallies.set(id, createTally(record.name, trial));
    }
    return tallies.size;
  }

  async function tick(): Promise<void> {
    const names = [...tallies.keys()].flatMap((id) => registry.functionById(id)?.name ?? []);
    // While it is being restarted, there is nothing to read.
    const readings = await runtime.figures(names, PATIENCE).catch(() => []);
    follow();
    for (const [id, tally] of tallies) {
      tally.add(readings);
      if (tally.trial.baseline === undefined && tally.recent) registry.saveBaseline(id, tally.recent);
      const record = registry.functionById(id);
      if (record && !registry.suspension(id)) decide(record, tally);
    }
  }

  function decide(record: FunctionRecord, tally: Tally): void {
    if (acting.has(record.id) || now() < (restsUntil.get(record.id) ?? 0)) return;
    const decision = decisionOf(record, tally);
    if (decision.kind === "wait") return;
    const doing = act(record.id, tally.trial, decision)
      .then(() => void restsUntil.delete(record.id))
      .catch((error: unknown) => {
        const isStill = registry.trial(record.id)?.version === tally.trial.version;
        if (!isStill || closing.signal.aborted) return;
        restsUntil.set(record.id, now() + AFTER_FAILURE);
        log.warn({ function: record.name, err: reportOf(error) }, "a trial could not go on; it is tried again");
      })
      .finally(() => acting.delete(record.id));
    acting.set(record.id, doing);
  }

  function decisionOf(record: FunctionRecord, tally: Tally): Decision {
    const standing = standingOf(tally);
    if (record.state === "quarantined")
      return { kind: "return", reason: record.error?.message ?? "it was quarantined" };
    return standing ? decideTrial(standing) : { kind: "wait" };
  }

  function standingOf({ trial, tried, before: since, recent, stepRequests }: Tally): Standing | undefined {
    const manifest = registry.version(trial.version)?.manifest;
    return manifest && { trial, manifest, tried, before: { since, recent }, stepRequests, now: now() };
  }

  async function act(functionId: string, trial: Trial, decision: Decision): Promise<void> {
    if (decision.kind === "return") await moves.goBack(functionId, trial, decision.reason);
    else if (decision.kind === "advance") await moves.advance(functionId, trial, decision.step);
    else await moves.pass(functionId, trial);
  }

  return {
    look,
    status(functionId) {
      const tally = tallies.get(functionId);
      const present = tally && registry.trial(functionId);
      const standing = present?.beganAt === tally?.trial.beganAt && tally ? standingOf(tally) : undefined;
      return standing && statusOfTrial(standing);
    },
    async close() {
      closing.abort();
      await working;
      await Promise.all(acting.values());
    },
  };
}
