// Moves traffic by hand: deployments, rollbacks, pins and their ends. The registry decides, in one step, what a move means at
// the moment when it is recorded, whatever a pass of the source has done meanwhile.
import {
  changedSecrets,
  checkSplit,
  greatest,
  type Move,
  moveOf,
  rollbackOf,
  type Standing,
  versionBefore,
} from "../../deploy/traffic.js";
import { WrkstError } from "../../errors.js";
import type { Actor, Deployment, FunctionRef, TrafficSplit, Trial, Version, Warning } from "../../model.js";
import type { DirectChange, FunctionRecord } from "../../store/index.js";
import { withdrawn } from "../databases/withdrawing.js";
import type { DeployRequest } from "../deploys.js";
import { sealedOf } from "../secrets.js";
import { type DeployContext, PLATFORM } from "./context.js";

/** Deployments that a rollback looks back at. */
const LOOK_BACK = 200;

/** A move as somebody asked for it; what it means is decided when it is recorded. */
interface Wanted {
  versions: TrafficSplit;
  message?: string | undefined;
  /** Of the hold that it makes. */
  expires?: number | undefined;
  force: boolean;
  /** A new version has to stand its trial as it says. */
  isTried?: true;
  /** How the trial goes on; absent: there is none any more. */
  trial?: Trial;
  decide(standing: Standing, versions: Version[], isOlder: boolean): Move;
}

export function createMoving(context: DeployContext) {
  const { registry } = context.deps;

  async function deploy(of: FunctionRef, request: DeployRequest, by: Actor): Promise<Deployment> {
    const { message, force } = request;
    checkSplit(request.versions);
    const record = context.expect(of);
    const versions = request.versions.map(({ version, percentage }) => ({
      version: context.resolve(record, version).id,
      percentage,
    }));
    checkSplit(versions);
    return move(
      of,
      {
        versions,
        message,
        force,
        isTried: true,
        decide: (standing, to, isOlder) => moveOf(standing, { versions: to, isOlder, force }),
      },
      by,
    );
  }

  async function rollback(
    of: FunctionRef,
    request: { to?: string; reason?: string; force?: boolean },
    by: Actor,
  ): Promise<Deployment> {
    const record = context.expect(of);
    const tried = registry.trial(record.id);
    const to =
      request.to === undefined ? (tried?.before ?? previousOf(record)) : context.resolve(record, request.to).id;
    const { reason, force = false } = request;
    return move(of, { versions: all(to), message: reason, force, decide: rollbackOf }, by);
  }

  function previousOf(record: FunctionRecord): string {
    const kept = registry.deployments(record.id, LOOK_BACK).filter(({ to }) => to === null || registry.version(to));
    const found = versionBefore(record.latest, kept);
    if (found !== undefined) return found;
    throw new WrkstError("ERR_VERSION_NOT_FOUND", `no version of "${record.name}" served before this one`, {
      hint: `name the version; see: wrkst versions list --name ${record.name}`,
    });
  }

  async function move(of: FunctionRef, wanted: Wanted, by: Actor): Promise<Deployment> {
    decisionOf(of, wanted);
    const versions = wanted.versions.flatMap(({ version }) => registry.version(version) ?? []);
    await context.prepare(versions);
    // Nothing is awaited between this decision and its record.
    const { record, move } = decisionOf(of, wanted);
    const change = changeOf(record, wanted, move, by);
    const isNew = wanted.isTried && move.cause === "api" && registry.trial(record.id)?.version !== change.latest;
    const { deployment } = await context.commit({ ...change, ...(isNew && !change.split ? { isTried: true } : {}) });
    const warnings = [...tellWithdrawn(record, by), ...(await warningsOf(record, versions, by))];
    return { ...deployment!, ...(warnings.length ? { warnings } : {}) };
  }

  function tellWithdrawn(before: FunctionRecord, actor: Actor): Warning[] {
    const manifestOf = (id: string | null | undefined) => (id ? registry.version(id)?.manifest : undefined);
    const after = manifestOf(registry.functionById(before.id)?.latest);
    const messages = withdrawn(registry, before, { before: manifestOf(before.latest), after });
    const { id: functionId, account, name } = before;
    for (const message of messages) {
      registry.addEvent({ kind: "database.withdrawn", function: name, functionId, account, message, actor });
    }
    return messages.map((message) => ({ message }));
  }

  /** Told after the move: going back is often urgent, and a database that does not answer is no reason to wait. */
  async function warningsOf({ id, account, name }: FunctionRecord, versions: Version[], by: Actor): Promise<Warning[]> {
    const found = await Promise.all(versions.map((version) => context.deps.olderThanDatabases(id, version)));
    const warnings = found.flat();
    for (const { message } of warnings) {
      registry.addEvent({
        kind: "database.newer-than-code",
        function: name,
        account,
        functionId: id,
        message,
        actor: by,
      });
    }
    return warnings;
  }

  function decisionOf(of: FunctionRef, wanted: Wanted): { record: FunctionRecord; move: Move } {
    const record = context.expect(of);
    context.refuseSuspended(record);
    const versions = wanted.versions.map(({ version }) => context.resolve(record, version));
    const isOlder = versions.every((version) => isOlderThanServing(record, version));
    const standing = { ...record, declared: context.givenTo(record), hold: context.holdOf(record) };
    const move = wanted.decide(standing, versions, isOlder);
    if (!wanted.force && isOlder) refuseChangedSecrets(record, versions);
    return { record, move };
  }

  function isOlderThanServing({ latest }: FunctionRecord, { upload }: Version): boolean {
    const serving = latest === null ? undefined : registry.version(latest)?.upload;
    return serving !== undefined && upload !== undefined && upload.number < serving.number;
  }

  /** Going back brings the old secrets back, which a person should know. */
  function refuseChangedSecrets(record: FunctionRecord, versions: Version[]): void {
    const serving = sealedOf(registry, record, registry.version(record.latest!)!);
    const names = versions.flatMap((version) => changedSecrets(serving, sealedOf(registry, record, version)));
    if (!names.length) return;
    const list = [...new Set(names)].sort().join(", ");
    throw new WrkstError("ERR_SECRETS_CHANGED", `The following secrets have changed: ${list}`, {
      hint: "the older version brings its own values back; force it if that is meant",
    });
  }

  return { deploy, rollback, move };
}
export type Moving = ReturnType<typeof createMoving>;

export function all(version: string): TrafficSplit {
  return [{ version, percentage: 100 }];
}

function changeOf(record: FunctionRecord, wanted: Wanted, move: Move, by: Actor): DirectChange {
  const { account, name } = record;
  const { versions, message, expires } = wanted;
  const latest = greatest(versions);
  const hold = move.hold && {
    ...{ alias: "latest", version: latest, ...move.hold },
    ...(message ? { reason: message } : {}),
    ...(expires === undefined ? {} : { expiresAt: expires }),
  };
  return {
    ...{ account, name, cause: move.cause, by, latest },
    ...(message ? { message } : {}),
    ...(versions.length > 1 ? { split: versions } : {}),
    ...(wanted.trial ? { trial: wanted.trial } : {}),
    ...(hold ? { holds: [hold] } : {}),
    ...(move.release ? { releases: ["latest"] } : {}),
    events: [{ kind: kindOf(move, by), message: sentenceOf(name, wanted, move, by) }],
  };
}

const KIND: Partial<Record<Move["cause"], string>> = {
  rollback: "function.rolled-back",
  pin: "function.pinned",
  unpin: "function.unpinned",
  gradual: "trial.advanced",
};

/** What goes back by itself is trouble that somebody wants to hear of; what a person takes back is not. */
function kindOf({ cause }: Move, by: Actor): string {
  if (cause === "rollback" && by.credential === PLATFORM.credential) return "function.returned";
  return KIND[cause] ?? "function.deployed";
}

function sentenceOf(name: string, { versions, message }: Wanted, { cause }: Move, by: Actor): string {
  const shares = versions.map(({ version, percentage }) => `${version.slice(0, 8)} at ${percentage} %`).join(", ");
  const verb = { rollback: "rolled back", pin: "pinned", unpin: "released" }[cause as string] ?? "deployed";
  const reason = cause === "rollback" && message ? `, since ${message}` : "";
  return `"${name}" was ${verb} by ${by.name}: ${shares}${reason}`;
}
