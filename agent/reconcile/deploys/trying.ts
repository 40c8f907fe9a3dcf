// What becomes of a version on trial: back by itself, on to its next share, or all traffic by a person's word. Each is decided
// again in the moment when it is recorded, since a push or a person may have been there first.
import { rollbackOf } from "../../deploy/traffic.js";
import { WrkstError } from "../../errors.js";
import { type Actor, type Deployment, type FunctionRef, splitAt, type Trial } from "../../model.js";
import type { FunctionRecord } from "../../store/index.js";
import { type DeployContext, PLATFORM } from "./context.js";
import { all, type Moving } from "./moving.js";

export function createTrying(context: DeployContext, moving: Moving) {
  const { registry, turns, now } = context.deps;

  /** Where it is still that trial, at that step. */
  function check(functionId: string, trial: Trial): FunctionRecord {
    const record = registry.functionById(functionId);
    const present = registry.trial(functionId);
    const isSame = present?.version === trial.version && present.step === trial.step;
    if (record && record.removedAt === null && isSame) return record;
    throw new WrkstError("ERR_SUPERSEDED", `version ${trial.version.slice(0, 8)} is on trial no longer`);
  }

  const inTurn = async (functionId: string, trial: Trial, work: (of: FunctionRecord) => Promise<unknown>) => {
    await turns.of(check(functionId, trial).name, () => work(check(functionId, trial)));
  };

  function goBack(functionId: string, trial: Trial, reason: string): Promise<void> {
    return inTurn(functionId, trial, (of) => {
      const decide = (standing: Parameters<typeof rollbackOf>[0]) => {
        check(functionId, trial);
        return rollbackOf(standing);
      };
      return moving.move(of, { versions: all(trial.before), message: reason, force: true, decide }, PLATFORM);
    });
  }

  function advance(functionId: string, trial: Trial, step: number): Promise<void> {
    return inTurn(functionId, trial, async (of) => {
      const manifest = registry.version(trial.version)?.manifest;
      const next: Trial = { ...trial, step, steppedAt: now() };
      const { split } = splitAt(next, manifest?.gradual);
      const isOver = split === null && manifest?.autoRollback === undefined;
      const decide = () => {
        check(functionId, trial);
        return { cause: "gradual" as const };
      };
      const versions = split ?? all(trial.version);
      await moving.move(of, { versions, force: true, decide, ...(isOver ? {} : { trial: next }) }, PLATFORM);
      if (isOver) registry.addEvent(passed(of, trial));
    });
  }

  function pass(functionId: string, trial: Trial): Promise<void> {
    return inTurn(functionId, trial, async (of) => {
      if (registry.endTrial(functionId, trial.version, passed(of, trial))) await context.publish();
    });
  }

  async function promote(of: FunctionRef, by: Actor): Promise<Deployment> {
    const { id } = context.expect(of);
    const decide = () => {
      tried(id, of);
      return { cause: "api" as const };
    };
    return moving.move(of, { versions: all(tried(id, of).version), force: true, decide }, by);
  }

  function tried(functionId: string, { name }: FunctionRef): Trial {
    const trial = registry.trial(functionId);
    if (trial) return trial;
    throw new WrkstError("ERR_CONFLICT", `no version of "${name}" is on trial`, { hint: `see: wrkst why ${name}` });
  }

  return { goBack, advance, pass, promote };
}

function passed({ id: functionId, name, account }: FunctionRecord, { version }: Trial) {
  const message = `version ${version.slice(0, 8)} of "${name}" has stood its trial`;
  return { kind: "trial.passed", function: name, functionId, account, message };
}
