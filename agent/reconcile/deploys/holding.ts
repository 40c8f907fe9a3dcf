// Aliases and the holds on them: who sets one, who releases one, and what applies then.
import { invalid } from "../../deploy/names.js";
import { type ErrorReport, WrkstError } from "../../errors.js";
import type { Actor, FunctionRef, Hold } from "../../model.js";
import type { FunctionRecord } from "../../store/index.js";
import type { AliasDetail } from "../deploys.js";
import type { DeployContext } from "./context.js";
import { all, type Moving } from "./moving.js";
import type { Reading } from "./reading.js";
import { checkAlias } from "./uploading.js";

const LATEST = "latest";
/** Who ends a hold whose time is over. */
const CLOCK: Actor = { name: "wrkst", email: null, credential: "platform", address: "" };

interface PinRequest {
  version: string;
  reason?: string;
  expires?: number;
}

export function createHolding(context: DeployContext, reading: Reading, moving: Moving) {
  const { registry, now } = context.deps;

  async function pin(of: FunctionRef, alias: string, request: PinRequest, by: Actor): Promise<Hold> {
    const { reason, expires } = request;
    if (alias !== LATEST) checkAlias(alias);
    if (expires !== undefined && !(Number.isSafeInteger(expires) && expires > now())) {
      throw invalid("expected the pin to expire in the future");
    }
    const record = context.expect(of);
    const version = context.resolve(record, request.version).id;
    if (alias === LATEST) {
      const decide = () => ({ cause: "pin" as const, hold: { kind: "pin" as const } });
      await moving.move(of, { versions: all(version), message: reason, expires, force: true, decide }, by);
    } else {
      const hold = { alias, kind: "pin" as const, version, ...(reason ? { reason } : {}) };
      await context.commit({
        ...of,
        ...{ cause: "pin", by, aliases: { [alias]: version } },
        holds: [{ ...hold, ...(expires === undefined ? {} : { expiresAt: expires }) }],
        events: [{ kind: "alias.pinned", message: `alias "${alias}" of "${of.name}" was pinned by ${by.name}` }],
      });
    }
    return registry.hold(record.id, alias)!;
  }

  async function setAlias(of: FunctionRef, alias: string, to: string, by: Actor): Promise<AliasDetail> {
    const record = context.expect(of);
    if (alias === LATEST) {
      if (record.source !== null) await pin(of, alias, { version: to }, by);
      else await moving.deploy(of, { versions: all(to), force: false }, by);
    } else {
      checkAlias(alias);
      const version = context.resolve(record, to).id;
      const message = `alias "${alias}" of "${of.name}" was set to ${version.slice(0, 8)} by ${by.name}`;
      const change = { aliases: { [alias]: version }, releases: [alias] };
      await context.commit({ ...of, cause: "api", by, ...change, events: [{ kind: "alias.set", message }] });
    }
    return reading.aliases(of).find(({ name }) => name === alias)!;
  }

  async function deleteAlias(of: FunctionRef, alias: string, by: Actor): Promise<void> {
    const record = context.expect(of);
    if (alias === LATEST) {
      if (record.source !== null || context.holdOf(record)) return unpin(of, alias, by);
      throw invalid('the alias "latest" is what serves: it cannot be removed', `wrkst delete ${of.name}`);
    }
    if (!Object.hasOwn(context.aliasesOf(record), alias)) {
      throw new WrkstError("ERR_NOT_FOUND", `"${of.name}" has no alias "${alias.slice(0, 100)}"`);
    }
    const message = `alias "${alias}" of "${of.name}" was removed by ${by.name}`;
    const change = { aliases: { [alias]: null }, releases: [alias] };
    await context.commit({ ...of, cause: "api", by, ...change, events: [{ kind: "alias.removed", message }] });
  }

  async function unpin(of: FunctionRef, alias: string, by: Actor): Promise<void> {
    const record = context.expect(of);
    const hold = registry.hold(record.id, alias);
    if (!hold) {
      throw new WrkstError("ERR_NOT_FOUND", `nothing holds "${alias.slice(0, 100)}" of "${of.name}"`, {
        hint: `see: wrkst why ${of.name}`,
      });
    }
    await release(of, alias, by, `the ${hold.kind} of "${alias}" of "${of.name}" was released by ${by.name}`);
  }

  /** What git gave last applies at once; where git declares the function no longer, it goes. */
  async function release(of: FunctionRef, alias: string, by: Actor, message: string): Promise<void> {
    const { version, error } = alias === LATEST ? await nextOf(of) : {};
    const record = context.find(of);
    if (!record) return;
    if (alias === LATEST && record.withdrawn) return withdraw(record, by, message);
    await context.commit({
      ...of,
      ...{ cause: "unpin", by, releases: [alias] },
      ...(version !== undefined && !error ? { latest: version } : {}),
      ...(error ? { error } : {}),
      events: [
        { kind: alias === LATEST ? "function.unpinned" : "alias.unpinned", message, ...(error ? { error } : {}) },
      ],
    });
  }

  /** The version that git gave last, if another one serves, and what speaks against it now. */
  async function nextOf(of: FunctionRef): Promise<{ version?: string; error?: ErrorReport | undefined }> {
    for (;;) {
      const declared = declaredOf(of);
      const version = declared === undefined ? undefined : registry.version(declared);
      if (!version) return {};
      const error = await context.refusalOf([version]);
      // A pass may have brought another one meanwhile.
      if (declaredOf(of) === declared) return { version: version.id, error };
    }
  }

  function declaredOf(of: FunctionRef): string | undefined {
    const record = context.find(of);
    if (!record || record.source === null || record.declared === null) return undefined;
    return record.declared === record.latest && !record.split ? undefined : record.declared;
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
      const message = `the hold on "${alias}" of "${record.name}" has expired`;
      const isStillThere = () =>
        registry.expiredHolds().expired.some((hold) => hold.functionId === functionId && hold.alias === alias);
      await inTurn(name, async () => {
        if (isStillThere()) await release({ account, name }, alias, CLOCK, message);
      });
    }
    return registry.expiredHolds().next;
  }

  return { pin, setAlias, deleteAlias, unpin, releaseExpired };
}
