// Aliases and the holds on them: who sets one, and who releases one.
import { invalid } from "../../deploy/names.js";
import { WrkstError } from "../../errors.js";
import { type Actor, EVERY_ALIAS, type FunctionRef, type Hold } from "../../model.js";
import { pinnedByRepository } from "../../store/index.js";
import type { AliasDetail } from "../deploys.js";
import type { DeployContext } from "./context.js";
import { all, type Moving } from "./moving.js";
import type { Reading } from "./reading.js";
import type { Releasing } from "./releasing.js";
import { checkAlias } from "./uploading.js";

const LATEST = "latest";

interface PinRequest {
  version: string;
  reason?: string;
  expires?: number;
}

export function createHolding(
  context: DeployContext,
  { reading, moving, releasing }: { reading: Reading; moving: Moving; releasing: Releasing },
) {
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
    const hold = alias === EVERY_ALIAS ? undefined : registry.hold(record.id, alias);
    const pin = registry.declaredPin(record.id, alias);
    if (!hold && pin) throw pinnedByRepository(of.name, pin);
    if (!hold) {
      throw new WrkstError("ERR_NOT_FOUND", `nothing holds "${alias.slice(0, 100)}" of "${of.name}"`, {
        hint: `see: wrkst why ${of.name}`,
      });
    }
    await releasing.release(of, alias, by, `the ${hold.kind} of "${alias}" of "${of.name}" was released by ${by.name}`);
  }

  return { pin, setAlias, deleteAlias, unpin };
}
