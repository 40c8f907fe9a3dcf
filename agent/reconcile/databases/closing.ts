// Keeps functions out of objects that isolates of before may still hold: those of removed databases, and those that SQL is imported
// into. The runtime is told whenever what it was told differs from what is so; a process that starts begins with it.
import { createTurns } from "../turns.js";
import type { ContentContext } from "./content-context.js";

export interface Closing {
  /** Objects that the process which is about to start refuses from its first call on. */
  atStart(): string[];
  /** Lets functions in where nothing is in the way any more. To be called before routes lead there. */
  reopen(): Promise<void>;
  /** Refuses functions where something is. To be called when routes lead there no longer. */
  close(): Promise<void>;
  /** Refuses them until it is released; the import's own calls are answered. */
  hold(object: string): Promise<void>;
  release(object: string): Promise<void>;
}

export function createClosing({ deps, object }: Pick<ContentContext, "deps" | "object">): Closing {
  const { runtime, runtimeLife, registry } = deps;
  const turns = createTurns();
  const held = new Set<string>();
  /** What the next process begins with, and what the present one was told since. */
  let initial: string[] = [];
  let told = { life: undefined as unknown, objects: new Set<string>() };

  const removed = () => registry.databases.removed().map((database) => object(database));
  const wantedNow = () => new Set([...removed(), ...held]);

  function present(): Set<string> {
    const life = runtimeLife();
    if (told.life !== life) told = { life, objects: new Set(initial) };
    return told.objects;
  }

  /** Told to a process that has ended since, it was told to nobody. */
  async function settle(on: boolean): Promise<void> {
    for (;;) {
      const life = runtimeLife();
      const [known, wanted] = [present(), wantedNow()];
      const [some, others] = on ? [wanted, known] : [known, wanted];
      const names = [...some].filter((name) => !others.has(name));
      if (names.length) await runtime.pause(names, on);
      if (runtimeLife() !== life) continue;
      for (const name of names) on ? known.add(name) : known.delete(name);
      return;
    }
  }

  const reopen = () => turns.of("", () => settle(false));
  const close = () => turns.of("", () => settle(true));

  return {
    atStart() {
      initial = removed();
      return initial;
    },
    reopen,
    close,
    hold(name) {
      held.add(name);
      return close();
    },
    release(name) {
      held.delete(name);
      return reopen();
    },
  };
}
