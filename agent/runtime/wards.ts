// The wards: which suspects are where, and who is proven guilty. Only a function that was alone in a ward from its start to
// its freeze is ever accused, so that nobody can be framed.
import type { PrepareRequest, PrepareResult, RouteChange, RouteTable } from "../../runtime/wire.js";
import type { Control } from "./control.js";
import { CALM, groupSuspects } from "./culprit.js";
import type { RuntimeOptions } from "./front.js";
import { pause } from "./patience.js";
import { startWard, type Ward } from "./ward.js";

export interface Wards {
  /** Function → number of its ward. */
  assignment(): Record<string, number>;
  /** One of these froze the serving process. Without wards they are only told. */
  suspect(names: string[]): void;
  /** It froze the serving process, proven there: it is nobody's suspect any more. */
  convict(name: string): void;
  /** To be called now and then: lets go whom nothing was found against. */
  release(now: number): void;
  change(change: RouteChange): Promise<void>;
  replace(table: RouteTable): Promise<void>;
  /** Loads each version in the ward of its function. Those whose ward is lost meanwhile have no result. */
  prepare(versions: PrepareRequest["versions"]): Promise<PrepareResult["versions"]>;
  /** The answers of those that answer. */
  each<T>(ask: (control: Control) => Promise<T>): Promise<T[]>;
  close(): Promise<void>;
}

/** A ward that did not start, or ended without a reason that is known, is started again after so many milliseconds. */
const PAUSE = 500;

export interface WardHooks {
  /** Called after each change of the assignment. */
  onAssign(): void;
  /** Called for each ward that has started; what it answers is called when the ward is gone. */
  hear(control: Control): () => void;
}

export function createWards(options: RuntimeOptions, { onAssign, hear }: WardHooks): Wards {
  const count = options.wards ?? 0;
  const now = options.now ?? Date.now;
  const closing = new AbortController();
  /** Suspect → when it was last in something that froze. */
  const suspects = new Map<string, number>();
  const running: (Ward | undefined)[] = Array.from({ length: count });
  const keeping: (Promise<void> | undefined)[] = Array.from({ length: count });
  let groups: string[][] = Array.from({ length: count }, () => []);
  let generation = 0;

  const regroup = (next: string[][]) => {
    groups = next;
    for (const [number, group] of groups.entries()) {
      const ward = running[number];
      if (ward && !isSame(ward.holds, group)) ward.kill();
      if (group.length) keeping[number] ??= keep(number);
    }
    onAssign();
  };
  const focus = (names: string[]) => {
    for (const name of names) suspects.set(name, now());
    const others = [...suspects.keys()].filter((name) => !names.includes(name));
    regroup(groupSuspects(names, others, count));
  };

  /** Keeps the ward running as long as its group has members. */
  async function keep(number: number): Promise<void> {
    while (groups[number]!.length && !closing.signal.aborted) {
      try {
        const ward = await startWard(options, number, [...groups[number]!]);
        running[number] = ward;
        const isCurrent = (await ward.control.state(options.hangTimeout).catch(() => undefined))?.generation;
        if (closing.signal.aborted || !isSame(ward.holds, groups[number]!) || (isCurrent ?? generation) < generation) {
          ward.kill();
        }
        const unhear = hear(ward.control);
        const end = await ward.ended;
        unhear();
        running[number] = undefined;
        if (end === "frozen") judge(ward.holds);
      } catch (error) {
        options.log.warn({ err: error, ward: number }, "a process for suspects did not start");
        await pause(PAUSE, closing.signal);
      }
    }
    keeping[number] = undefined;
  }

  const convict = (name: string) => {
    suspects.delete(name);
    regroup(groups.map((group) => group.filter((member) => member !== name)));
  };

  function judge(holds: readonly string[]): void {
    if (closing.signal.aborted) return;
    const [only, ...others] = holds;
    if (only !== undefined && others.length === 0) {
      convict(only);
      const message = `function "${only}" stopped a process in which it was alone`;
      options.onEvent({ kind: "runtime.culprit", message, suspects: [only] });
    } else {
      options.onEvent({ kind: "runtime.suspects", message: describeSuspects(holds), suspects: [...holds] });
      focus(holds.filter((name) => suspects.has(name)));
    }
  }

  /** What a ward does not take in, it reads from the route file when it starts again. */
  const tell = async (call: (control: Control) => Promise<unknown>) => {
    await Promise.all(
      running.map(async (ward) => {
        const answer = ward && (await call(ward.control).catch(() => "failed"));
        if (answer === "failed" || answer === "out-of-step") ward?.kill();
      }),
    );
  };

  return {
    assignment: () => Object.fromEntries(groups.flatMap((group, number) => group.map((name) => [name, number]))),
    suspect(names) {
      options.onEvent({ kind: "runtime.suspects", message: describeSuspects(names), suspects: names });
      if (count) focus(names);
    },
    convict,
    release(at) {
      const calm = [...suspects].filter(([, since]) => since <= at - CALM).map(([name]) => name);
      if (!calm.length) return;
      for (const name of calm) suspects.delete(name);
      regroup(groups.map((group) => group.filter((name) => suspects.has(name))));
      const message = `nothing more was found against ${calm.map((name) => `"${name}"`).join(", ")}`;
      options.onEvent({ kind: "runtime.cleared", message, suspects: calm });
    },
    change(change) {
      generation = change.to;
      return tell((control) => control.change(change));
    },
    replace(table) {
      generation = table.generation;
      return tell((control) => control.replace(table));
    },
    async prepare(versions) {
      const results = running.map(async (ward, number) => {
        const own = versions.filter((version) => groups[number]!.includes(version.function));
        if (!ward || !own.length) return {};
        return (await ward.control.prepare({ versions: own }).catch(() => ({ versions: {} }))).versions;
      });
      return Object.assign({}, ...(await Promise.all(results)));
    },
    async each(ask) {
      const asked = running.map((ward) => ward && ask(ward.control).catch(() => undefined));
      return (await Promise.all(asked)).filter((answer) => answer !== undefined);
    },
    async close() {
      closing.abort();
      for (const ward of running) ward?.kill();
      await Promise.all(keeping);
    },
  };
}

function describeSuspects(names: readonly string[]): string {
  return `one of these functions stopped the runtime: ${names.map((name) => `"${name}"`).join(", ")}`;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name));
}
