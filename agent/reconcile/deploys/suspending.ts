// Suspension of a function: nothing moves until a person resumes it or its time is over; what serves goes on serving unless
// requests are refused too.
import { invalid } from "../../deploy/names.js";
import { WrkstError } from "../../errors.js";
import { type Actor, EVERY_ALIAS, type FunctionRef, type Hold, type Suspension } from "../../model.js";
import type { DeployContext } from "./context.js";
import type { Releasing } from "./releasing.js";

interface SuspendRequest {
  reason: string;
  /** Milliseconds since 1970. */
  expires?: number;
  offline?: boolean;
}

export function createSuspending(context: DeployContext, releasing: Releasing) {
  const { registry, now } = context.deps;

  async function suspend(of: FunctionRef, request: SuspendRequest, by: Actor): Promise<Suspension> {
    const { reason, expires, offline = false } = request;
    if (expires !== undefined && !(Number.isSafeInteger(expires) && expires > now())) {
      throw invalid("expected the suspension to expire in the future");
    }
    const { id, latest } = context.expect(of);
    if (latest === null) {
      throw new WrkstError("ERR_CONFLICT", `nothing of "${of.name}" serves yet`, { hint: `see: wrkst why ${of.name}` });
    }
    await context.commit({
      ...{ ...of, cause: "api", by },
      holds: [
        {
          ...{ alias: EVERY_ALIAS, kind: "suspension", version: latest, reason },
          ...(expires === undefined ? {} : { expiresAt: expires }),
          ...(offline ? { offline } : {}),
        },
      ],
      events: [{ kind: "function.suspended", message: `"${of.name}" was suspended by ${by.name}: ${reason}` }],
    });
    return suspensionOf(registry.suspension(id)!);
  }

  /** @returns whether it was suspended */
  async function resume(of: FunctionRef, by: Actor): Promise<boolean> {
    const { id } = context.expect(of);
    if (!registry.suspension(id)) return false;
    await releasing.release(of, EVERY_ALIAS, by, `"${of.name}" was resumed by ${by.name}`);
    return true;
  }

  return { suspend, resume };
}

export function suspensionOf({ reason, author, createdAt, expiresAt, offline }: Hold): Suspension {
  return {
    ...(reason === undefined ? {} : { reason }),
    ...{ author, createdAt },
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(offline ? { offline } : {}),
  };
}
