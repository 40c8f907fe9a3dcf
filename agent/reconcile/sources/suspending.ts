// A person's word that nothing of a source moves, until another word or a time. What serves goes on serving.
import { WrkstError } from "../../errors.js";
import type { Actor, Suspension } from "../../model.js";
import type { Registry } from "../../store/index.js";
import { createExpiry } from "../deploys/expiry.js";
import type { Sources } from "../sources.js";
import type { Roster } from "./roster.js";

export interface Suspending extends Pick<Sources, "suspend" | "resume"> {
  /** Looks for suspensions whose time is over, now and from now on. */
  look(): void;
  close(): Promise<void>;
}

export interface SuspendingDeps {
  registry: Pick<Registry, "sourceSuspensions" | "saveSourceSuspension" | "deleteSourceSuspension">;
  roster: Roster;
  log: { warn(fields: object, message: string): void };
}

export function createSuspending({ registry, roster, log }: SuspendingDeps): Suspending {
  const expiry = createExpiry(async () => endExpired(), log);

  function endExpired(): number | undefined {
    const ends = [...registry.sourceSuspensions()].map(([name, { expiresAt = Number.POSITIVE_INFINITY }]) => ({
      ...{ name, expiresAt },
    }));
    const isOver = ({ expiresAt }: { expiresAt: number }) => expiresAt <= Date.now();
    for (const { name } of ends.filter(isOver)) end(name, `the suspension of the source "${name}" is over`);
    const next = Math.min(...ends.filter((one) => !isOver(one)).map(({ expiresAt }) => expiresAt));
    return Number.isFinite(next) ? next : undefined;
  }

  function end(name: string, message: string, actor?: Actor): void {
    registry.deleteSourceSuspension(name);
    roster.note(name, { kind: "source.resumed", message, ...(actor ? { actor } : {}) });
    const following = roster.all.get(name);
    if (following) roster.wake(following, { force: true, ...(actor ? { author: actor.name } : {}) });
  }

  async function suspend(name: string, { reason, expires }: { reason?: string; expires?: number }, by: Actor) {
    const { loop, previews } = roster.expect(name);
    const now = Date.now();
    if (expires !== undefined && expires <= now) throw new WrkstError("ERR_INVALID", "expected an end in the future");
    const suspension: Suspension = {
      ...{ author: by.name, createdAt: now },
      ...(reason ? { reason } : {}),
      ...(expires === undefined ? {} : { expiresAt: expires }),
    };
    registry.saveSourceSuspension(name, suspension);
    const why = reason ? `: ${reason}` : "";
    roster.note(name, {
      kind: "source.suspended",
      message: `the source "${name}" was suspended by ${by.name}${why}`,
      actor: by,
    });
    const error = suspended(name, suspension);
    await Promise.all([loop.interrupt(error), previews.interrupt(error)]);
    expiry.look();
    return suspension;
  }

  async function resume(name: string, by: Actor): Promise<void> {
    roster.expect(name);
    if (!roster.suspensionOf(name)) return;
    end(name, `the source "${name}" was resumed by ${by.name}`, by);
  }

  return { suspend, resume, look: expiry.look, close: expiry.close };
}

export function suspended(name: string, { author, reason }: Suspension): WrkstError {
  const why = reason ? `: ${reason}` : "";
  return new WrkstError("ERR_SUSPENDED", `the source "${name}" is suspended by ${author}${why}`, {
    hint: `wrkst source resume ${name}`,
  });
}
