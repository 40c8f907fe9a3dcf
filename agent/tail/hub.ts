// Who listens to which function. The runtime is told of functions only while somebody listens, or they are observed.
// Invariant: what one listener cannot take costs the others nothing.

import type { TailLine } from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";
import type { TailEvent } from "../model.js";
import { askedOf, eventOf, keptOf, type MapPlaces, type NewKeptLog, noticeOf } from "./describe.js";
import { passes, type TailFilter } from "./filters.js";

/** Listeners of one function at a time. */
export const MAX_LISTENERS = 10;

export interface Listener {
  filters: TailFilter[];
  /** Address of whoever listens. */
  address: string;
  send(event: TailEvent): void;
  /** Nothing more is to be heard. */
  end(): void;
  /** Whether whoever listens may do so still. Must not reject. */
  mayStay(): Promise<boolean>;
}

export interface Hub {
  /** Resolves once the line is with all listeners. Never rejects. */
  take(line: TailLine): Promise<void>;
  /** Begins to listen; the function is to be called once, to end it. @throws WrkstError ERR_CONFLICT for one too many */
  listen(name: string, listener: Listener): () => void;
  /** These functions keep what they say from now on, others do not. */
  observe(names: Iterable<string>): void;
  /** Functions that the runtime has to tell about. */
  heard(): string[];
  /** Resolves once the runtime tells about all of them, as far as it runs. */
  settled(): Promise<void>;
  /** Ends those that may not listen any more. */
  check(): Promise<void>;
  /** Ends all listeners. */
  close(): void;
}

export interface HubDeps {
  /** Called when `heard` answers something else; resolves when the runtime knows. Never rejects. */
  onHeard(functions: string[]): Promise<void>;
  keep(name: string, logs: NewKeptLog[]): void;
  /** How places of the version are mapped. */
  placesOf(version: string): Promise<MapPlaces>;
  now(): number;
  /** 0 ≤ n < 1. */
  chance(): number;
}

const asIs: MapPlaces = (message) => ({ message });

export function createHub({ onHeard, keep, placesOf, now, chance }: HubDeps): Hub {
  const listeners = new Map<string, Set<Listener>>();
  let observed = new Set<string>();
  let told = "";
  let telling = Promise.resolve();

  const all = () => [...listeners.values()].flatMap((set) => [...set]);
  const heard = () => [...new Set([...listeners.keys(), ...observed])].sort();
  function tellRuntime(): void {
    const names = heard();
    const key = names.join();
    if (key === told) return;
    told = key;
    telling = telling.then(() => onHeard(names));
  }

  function send(name: string, event: TailEvent, isFiltered: boolean): void {
    for (const listener of listeners.get(name) ?? []) {
      const { filters, address } = listener;
      if (!isFiltered || passes(event, filters, { self: address, chance })) listener.send(event);
    }
  }

  return {
    async take(line) {
      const { function: name } = line;
      if (line.kind === "lost") {
        send(name, noticeOf(name, line.count, now()), false);
        return;
      }
      const hasThrown = line.kind === "threw" || line.invocation.exceptions.length > 0;
      const event = eventOf(line, hasThrown ? await placesOf(line.version) : asIs);
      keep(name, keptOf(event, askedOf(line), observed.has(name)));
      send(name, event, true);
    },
    listen(name, listener) {
      const set = listeners.get(name) ?? new Set();
      if (set.size >= MAX_LISTENERS) {
        throw new WrkstError("ERR_CONFLICT", `${MAX_LISTENERS} listen to "${name}" already`, {
          hint: "end one of the tails, or wait until one expires",
        });
      }
      listeners.set(name, set.add(listener));
      tellRuntime();
      return () => {
        if (!set.delete(listener)) return;
        if (set.size === 0 && listeners.get(name) === set) listeners.delete(name);
        tellRuntime();
      };
    },
    observe(names) {
      observed = new Set(names);
      tellRuntime();
    },
    heard,
    settled: () => telling,
    async check() {
      await Promise.all(all().map(async (listener) => (await listener.mayStay()) || listener.end()));
    },
    close() {
      for (const listener of all()) listener.end();
    },
  };
}
