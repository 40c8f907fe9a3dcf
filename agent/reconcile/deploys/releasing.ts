// The end of a hold, by a person or by the clock: what git gave last applies at once, unless something else holds it.
import { behaviourOf, type ErrorReport } from "../../errors.js";
import { type Actor, EVERY_ALIAS, type FunctionRef, holdsBack } from "../../model.js";
import { type DirectChange, type FunctionRecord, waitingKey } from "../../store/index.js";
import { type DeployContext, PLATFORM } from "./context.js";

const LATEST = "latest";

/** How a release is told: by the alias that was held. */
const KINDS: Record<string, string> = { [LATEST]: "function.unpinned", [EVERY_ALIAS]: "function.resumed" };

export function createReleasing(context: DeployContext) {
  const { registry } = context.deps;

  /** Where git declares the function no longer, and nothing else keeps it, it goes. */
  async function release(of: FunctionRef, alias: string, by: Actor, message: string): Promise<void> {
    const { error, ...next } = alias === LATEST || alias === EVERY_ALIAS ? await nextOf(of, alias) : {};
    const record = context.find(of);
    if (!record) return;
    if ((alias === LATEST || alias === EVERY_ALIAS) && record.withdrawn && !isStillHeld(record, alias)) {
      return withdraw(record, by, message);
    }
    const pin = alias === LATEST ? undefined : registry.declaredPin(record.id, alias);
    // Who releases a rollback wants the version that was rejected, whatever was wrong with it.
    const isMeant = alias === LATEST && registry.hold(record.id, LATEST)?.kind === "rollback";
    const tried = isMeant ? {} : { isTried: true as const };
    await context.commit({
      ...{ ...of, cause: "unpin", by, releases: [alias, ...(next.releases ?? [])] },
      ...(pin && !registry.suspension(record.id) ? { aliases: { [alias]: pin.version } } : {}),
      ...(next.latest === undefined || error ? {} : { latest: next.latest, ...tried }),
      ...(error ? { error } : {}),
      events: [{ kind: KINDS[alias] ?? "alias.unpinned", message, ...(error ? { error } : {}) }],
    });
    const isPinned = registry.declaredPins(record.id).length > 0;
    // What the runtime could not load for the moment is for a pass, which tries again until it can.
    const isPassing = error !== undefined && behaviourOf(error.code).retry === "backoff";
    if (record.source !== null && (waits(record) || isPinned || isPassing)) context.deps.wakeSource(record.source);
  }

  /** Migrations come before the switch, and they are for a pass: it brings the version then, a moment later. */
  function waits({ id, source }: FunctionRecord): boolean {
    return source !== null && registry.setting(waitingKey(id)) !== undefined;
  }

  /** The version that git gives, if another one serves and may move, and what speaks against it now. */
  async function nextOf(
    of: FunctionRef,
    released: string,
  ): Promise<Pick<DirectChange, "latest" | "releases"> & { error?: ErrorReport | undefined }> {
    for (;;) {
      const next = declaredOf(of, released);
      const version = next.latest === undefined ? undefined : registry.version(next.latest);
      if (!version) return {};
      const error = await context.refusalOf([version]);
      // A pass may have brought another one meanwhile.
      if (declaredOf(of, released).latest === next.latest) return { ...next, error };
    }
  }

  /** What the end of the hold lets through; a rollback ends with a version that is another than the rejected one. */
  function declaredOf(of: FunctionRef, released: string): Pick<DirectChange, "latest" | "releases"> {
    const record = context.find(of);
    if (!record || record.source === null || waits(record)) return {};
    const given = context.givenTo(record);
    if (given === null || (given === record.latest && !record.split)) return {};
    if (registry.trial(record.id)?.version === given) return {};
    if (released === LATEST) return registry.suspension(record.id) ? {} : { latest: given };
    const hold = registry.hold(record.id, LATEST);
    if (holdsBack(hold, given)) return {};
    return { latest: given, ...(hold ? { releases: [LATEST] } : {}) };
  }

  function isStillHeld({ id }: FunctionRecord, released: string): boolean {
    if (released === LATEST) return registry.suspension(id) !== undefined;
    return registry.hold(id, LATEST)?.kind === "pin";
  }

  async function withdraw(
    { id: functionId, account, name, folder }: FunctionRecord,
    by: Actor,
    message: string,
  ): Promise<void> {
    registry.applySwitch({
      ...{ cause: "unpin", author: by.name, by },
      functions: [{ name, source: null, folder, state: "removed" }],
      events: [
        {
          ...{ kind: "function.removed", function: name, functionId, account },
          ...{ message: `${message}; git declares it no longer`, actor: by },
        },
      ],
    });
    await context.publish();
  }

  /** Ends the holds whose time is over; answers when the next one ends, in milliseconds since 1970. */
  async function releaseExpired(
    inTurn: (name: string, work: () => Promise<void>) => Promise<void>,
  ): Promise<number | undefined> {
    for (const { functionId, alias } of registry.expiredHolds().expired) {
      const record = registry.functionById(functionId);
      if (!record) continue;
      const { account, name } = record;
      const what = alias === EVERY_ALIAS ? "suspension" : `hold on "${alias}"`;
      const message = `the ${what} of "${record.name}" has expired`;
      const isStillThere = () =>
        registry.expiredHolds().expired.some((hold) => hold.functionId === functionId && hold.alias === alias);
      await inTurn(name, async () => {
        if (isStillThere()) await release({ account, name }, alias, PLATFORM, message);
      });
    }
    return registry.expiredHolds().next;
  }

  return { release, releaseExpired };
}
export type Releasing = ReturnType<typeof createReleasing>;
