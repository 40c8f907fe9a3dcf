// The parts of what functions say, without a runtime, for tests of the API.

import { join } from "node:path";
import { createHub, createTails, openKeptLogs } from "../tail/index.js";
import type { TailParts } from "./tails.js";

export interface TestTail extends TailParts {
  /** What the runtime was last told to listen to. */
  heard: string[];
  close(): void;
}

/** Keeps its file in the folder. `hello` and `wasm` are functions. */
export function openTestTail(dir: string): TestTail {
  const now = () => 1_000_000;
  const kept = openKeptLogs(join(dir, "logs.sqlite"), { retention: 60_000, now, onDamage: () => undefined });
  const hub = createHub({
    onHeard: async (functions) => {
      tail.heard = functions;
    },
    keep: (name, logs) => kept.add(`id-of-${name}`, logs),
    placesOf: async () => (message) => ({ message }),
    ...{ now, chance: () => 0.5 },
  });
  const tail: TestTail = {
    ...{ hub, kept, tails: createTails({ hub, now }), heard: [] },
    idOf: (name) => (["hello", "wasm"].includes(name) ? `id-of-${name}` : undefined),
    close() {
      hub.close();
      kept.close();
    },
  };
  return tail;
}
