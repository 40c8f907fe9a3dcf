// Which versions are loaded, under which loader id. A version is loaded once for all who wait for it, a load that failed is
// tried again under a new id and not before its pause is over, and the least recently used idle isolates make room.
import type { Answers } from "./counts.js";
import type { Watched } from "./figures.js";
import { isolateKey } from "./route-table.js";
import type { VersionSpec } from "./wire.js";

/** A version and its isolate, if it has one. Hot: read on every request. */
export interface Slot {
  readonly function: string;
  readonly spec: VersionSpec;
  /** Of the function, whatever the version. */
  readonly answers: Answers;
  /** Where the version is watched. */
  figures: Watched | undefined;
  /** Name of its isolate in the loader. A new isolate always has a new name. */
  id: string;
  isLoaded: boolean;
  /** Whether its isolate tells what happened in an invocation, when it is over. */
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
  answersOf(function_: string): Answers;
  /** Brings the version into the loader under the id and runs its module scope. */
  load(slot: Slot): Promise<void>;
  /** Unloads the isolate of that name. Never rejects. */
  unload(function_: string, id: string): Promise<void>;
  /** Whether what was just loaded is not what is wanted by now: it is loaded once more. */
  isStale?(slot: Slot): boolean;
  now?: () => number;
}

export interface Isolates {
  readonly loaded: number;
  readonly evictions: number;
  readonly coldLoads: number;
  /** The slot of a version; the same as long as the version is the same. */
  slot(function_: string, spec: VersionSpec): Slot;
  use(slot: Slot): void;
  /** Whether more are loaded than should be, because all of them were busy. */
  readonly isOver: boolean;
  /** Unloads idle isolates, as long as there are too many; to be called when one has become idle. */
  makeRoom(keep: Keep): void;
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
  const { max, load, unload, isStale = () => false, now = Date.now } = options;
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
  const makeRoom = (keep: Keep, spared?: State) => {
    while (loaded > max) {
      const victim = leastRecentlyUsed(slots.values(), spared);
      if (!victim) return;
      drop(victim, keep);
    }
  };
  const loadAnew = (state: State) => {
    state.id = `${state.function}@${state.spec.id}@${state.spec.generation}.${++incarnations}`;
    coldLoads++;
    return load(state);
  };
  const begin = async (state: State, keep: Keep) => {
    try {
      await loadAnew(state);
      while (isStale(state)) {
        keep(unload(state.function, state.id));
        await loadAnew(state);
      }
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
        answers: options.answersOf(function_),
        figures: undefined,
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
        state.loading = begin(state, keep).then(() => makeRoom(keep, state));
        keep(state.loading.catch(() => {}));
      }
      state.inFlight++;
      try {
        await inOwnContext(state.loading);
      } finally {
        state.inFlight--;
        makeRoom(keep, state);
      }
    },
    get isOver() {
      return loaded > max;
    },
    makeRoom: (keep) => makeRoom(keep),
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

/**
 * A promise of the request that asks. A request that awaited the promise of another would go on in that one's context, where
 * its own streams must not be touched; workerd takes it back to its own when the promise is its own.
 */
export function inOwnContext<T>(shared: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    shared.then(resolve, reject);
  });
}

/**
 * The least recently used of the idle ones, if there is one. A busy isolate stays in memory until its requests are done,
 * so that dropping it gains nothing; those that wait for it would load it again at once, and drop others.
 */
function leastRecentlyUsed(slots: Iterable<State>, spared: State | undefined): State | undefined {
  let found: State | undefined;
  for (const slot of slots) {
    if (!slot.isLoaded || slot.inFlight > 0 || slot === spared) continue;
    if (!found || slot.lastUsed < found.lastUsed) found = slot;
  }
  return found;
}
