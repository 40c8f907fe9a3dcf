// The sources that are followed now: finds them, wakes them unless they are suspended, begins them.
import { reportOf, WrkstError } from "../../errors.js";
import type { PassReport, Suspension } from "../../model.js";
import type { NewEvent, Registry } from "../../store/index.js";
import type { PassRequest } from "../loop.js";
import type { Following } from "./following.js";

export interface RosterDeps {
  registry: Pick<Registry, "sourceSuspensions" | "functions" | "addEvent">;
  log: { warn(fields: object, message: string): void };
}

export interface Roster {
  /** By name, in the order in which they came. */
  readonly all: Map<string, Following>;
  /** @throws WrkstError ERR_NOT_FOUND */
  expect(name: string): Following;
  /** @throws WrkstError ERR_NOT_FOUND; for the source of the environment what `refuse` says */
  expectAdded(name: string, refuse: (found: Following) => WrkstError): Following;
  /** That of a source which is not over. */
  suspensionOf(name: string): Suspension | undefined;
  /** All that follow that repository. */
  ofRepository(repo: string): Following[];
  /** Nothing happens while it is suspended. */
  wake(following: Following, request: Partial<PassRequest>): void;
  wakeAll(request: Partial<PassRequest>): void;
  /** What one source gave up, another one may have waited for. */
  wakeClaimants(names: string[]): void;
  /** Watches it and settles when its first pass is done. Never rejects. */
  begin(following: Following): Promise<void>;
  /** As `begin`, but no longer than the platform may be kept from being ready. */
  beginFirst(following: Following): Promise<void>;
  /** What wakes sources of the embedded repository goes through it. */
  setGate(gate: (wake: () => void) => () => void): void;
  note(name: string, event: Pick<NewEvent, "kind" | "message" | "actor">): void;
}

/** Milliseconds that the first pass of a source may keep the platform from being ready. */
const FIRST_PASS = 20_000;

export function createRoster({ registry, log }: RosterDeps): Roster {
  const all = new Map<string, Following>();
  let gate: (wake: () => void) => () => void = (wake) => wake;

  function expect(name: string): Following {
    const found = all.get(name);
    if (found) return found;
    const hint = `known: ${[...all.keys()].map((one) => `"${one}"`).join(", ")}`;
    throw new WrkstError("ERR_NOT_FOUND", `there is no source "${name}"`, { hint });
  }

  function expectAdded(name: string, refuse: (found: Following) => WrkstError): Following {
    const found = expect(name);
    if (!found.isOfEnvironment) return found;
    throw refuse(found);
  }

  function suspensionOf(name: string): Suspension | undefined {
    const found = registry.sourceSuspensions().get(name);
    return found && (found.expiresAt ?? Number.POSITIVE_INFINITY) > Date.now() ? found : undefined;
  }

  function wake(following: Following, request: Partial<PassRequest>): void {
    if (!suspensionOf(following.name)) following.loop.wake(request);
  }

  function wakeClaimants(names: string[]): void {
    if (!names.length) return;
    const waiting = registry.functions().filter(({ state, name }) => state === "name-taken" && names.includes(name));
    for (const source of new Set(waiting.map((record) => record.source))) {
      const following = source === null ? undefined : all.get(source);
      if (following) wake(following, { force: true });
    }
  }

  async function begin(following: Following): Promise<void> {
    const { name, loop, settings } = following;
    try {
      const waken = () => wake(following, { cause: "sync" });
      await following.watch(settings.repo === "embedded" ? gate(waken) : waken);
      if (!suspensionOf(name)) await loop.sync({ cause: "start", force: true });
    } catch (error) {
      if (all.get(name) === following) log.warn({ source: name, err: reportOf(error) }, "a source could not be begun");
    }
  }

  async function beginFirst(following: Following): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FIRST_PASS);
      timer.unref();
    });
    await Promise.race([begin(following), tooLong]);
    clearTimeout(timer);
  }

  const ofRepository = (repo: string) => [...all.values()].filter(({ settings }) => settings.repo === repo);

  return {
    ...{ all, ofRepository, expect, expectAdded, suspensionOf, wake, wakeClaimants, begin, beginFirst },
    wakeAll(request) {
      for (const following of all.values()) wake(following, request);
    },
    setGate(given) {
      gate = given;
    },
    note(name, event) {
      const account = all.get(name)?.settings.account;
      registry.addEvent({ ...event, source: name, ...(account === undefined ? {} : { account }) });
    },
  };
}

/** Names of functions that the pass removed. */
export function freedBy({ functions }: PassReport): string[] {
  return functions.filter(({ result }) => result === "removed").map(({ name }) => name);
}
