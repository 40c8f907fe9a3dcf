// Which versions are loaded, under which loader id. A version is loaded once for all who wait for it, a load that failed is
// tried again under a new id and not before its pause is over, and the least recently used idle isolates make room.
import { isolateKey } from "./route-table.js";
import type { VersionSpec } from "./wire.js";

/** A version and its isolate, if it has one. Hot: read on every request. */
export interface Slot {
  readonly function: string;
  readonly spec: VersionSpec;
  /** Name of its isolate in the loader. A new isolate always has a new name. */
  id: string;
  isLoaded: boolean;
  /** Whether its isolate tells when an invocation is over. */
  isTailed: boolean;
  /** Requests that the function has not answered yet, those that wait for its load included. */
  inFlight: number;
  /** Grows with every use of any slot. */
  lastUsed: number;
}

/** What keeps a promise going though the event that began it is over. */
export type Keep = (promise: Promise<unknown>) => void;

export interface IsolatesOptions {
  max: number;
  /** Brings the version into the loader under the id and runs its module scope. */
  load(slot: Slot): Promise<void>;
  /** Unloads the isolate of that name. Never rejects. */
  unload(function_: string, id: string): Promise<void>;
  now?: () => number;
}

export interface Isolates {
  readonly loaded: number;
  readonly evictions: number;
  readonly coldLoads: number;
  /** The slot of a version; the same as long as the version is the same. */
  slot(function_: string, spec: VersionSpec): Slot;
  use(slot: Slot): void;
  /** Resolves when it was loaded; where room was made for others since then, it is not any more. Rejects with the reason, also while the pause after a failure lasts. */
  load(slot: Slot, keep: Keep): Promise<void>;
  /** Drops the isolates for which the condition holds: requests in them finish, later ones load them afresh. */
  evictWhere(condition: (slot: Slot) => boolean, keep: Keep): void;
}

interface State extends Slot {
  loading: Promise<void> | undefined;
  failures: number;
  failure: unknown;
  retryAt: number;
}

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 30_000;

export function createIsolates(options: IsolatesOptions): Isolates {
  const { max, load, unload, now = Date.now } = options;
  const slots = new Map<string, State>();
  let uses = 0;
  let incarnations = 0;
  let loaded = 0;
  let evictions = 0;
  let coldLoads = 0;

  const drop = (state: State, keep: Keep) => {
    if (!state.isLoaded) return;
    const { id } = state;
    state.isLoaded = false;
    loaded--;
    evictions++;
    keep(unload(state.function, id));
  };
  const makeRoom = (newest: State, keep: Keep) => {
    while (loaded > max) {
      const victim = leastRecentlyUsed(slots.values(), newest);
      if (!victim) return;
      drop(victim, keep);
    }
  };
  const begin = async (state: State) => {
    state.id = `${state.function}@${state.spec.id}@${state.spec.generation}.${++incarnations}`;
    coldLoads++;
    try {
      await load(state);
      state.isLoaded = true;
      state.failures = 0;
      state.failure = undefined;
      loaded++;
    } catch (error) {
      state.failure = error;
      state.retryAt = now() + Math.min(FIRST_PAUSE * 2 ** state.failures++, LONGEST_PAUSE);
      throw error;
    } finally {
      state.loading = undefined;
    }
  };

  return {
    get loaded() {
      return loaded;
    },
    get evictions() {
      return evictions;
    },
    get coldLoads() {
      return coldLoads;
    },
    slot(function_, spec) {
      const key = isolateKey(function_, spec);
      const known = slots.get(key);
      if (known) return known;
      const state: State = {
        function: function_,
        spec,
        id: "",
        isLoaded: false,
        isTailed: false,
        inFlight: 0,
        lastUsed: 0,
        loading: undefined,
        failures: 0,
        failure: undefined,
        retryAt: 0,
      };
      slots.set(key, state);
      return state;
    },
    use(slot) {
      slot.lastUsed = ++uses;
    },
    async load(slot, keep) {
      const state = slot as State;
      if (state.isLoaded) return;
      if (!state.loading) {
        if (now() < state.retryAt) throw state.failure;
        state.lastUsed = ++uses;
        state.loading = begin(state).then(() => makeRoom(state, keep));
        keep(state.loading.catch(() => {}));
      }
      state.inFlight++;
      try {
        await state.loading;
      } finally {
        state.inFlight--;
      }
    },
    evictWhere(condition, keep) {
      for (const [key, state] of slots) {
        if (!condition(state)) continue;
        drop(state, keep);
        // Whoever still waits for the slot will load it, and it must then be found when room is made.
        if (!state.loading && state.inFlight === 0) slots.delete(key);
      }
    },
  };
}

/** The least recently used of the idle ones, or of all where none is idle; never the one that room is made for. */
function leastRecentlyUsed(slots: Iterable<State>, newest: State): State | undefined {
  let idle: State | undefined;
  let any: State | undefined;
  for (const slot of slots) {
    if (!slot.isLoaded || slot === newest) continue;
    if (!any || slot.lastUsed < any.lastUsed) any = slot;
    if (slot.inFlight === 0 && (!idle || slot.lastUsed < idle.lastUsed)) idle = slot;
  }
  return idle ?? any;
}
