// What watched versions answered and how fast, by version. Invariant: counting makes no object but once in SPAN requests, and
// of a function only the versions are kept that its route names.
import { FIGURE_BUCKETS, type Figures, type RuntimeFigures } from "./wire.js";

/** "Recent" are the last requests, at least so many and at most twice as many. */
const SPAN = 1_000;
/** Milliseconds after which, and at most twice as many, a request without an answer counts as a failure. */
const LATE = 30_000;

/** A version that is watched. */
export interface Watched {
  readonly total: Figures;
  /** `total` as it was SPAN requests ago, and as it was before that. */
  newer: Figures;
  older: Figures;
  /** Requests until the next such mark. */
  left: number;
  /** Requests that have no answer yet: of this turn of the clock, of the turn before, and of all before these. */
  open: [number, number, number];
  /** When it was first asked for, milliseconds since 1970. */
  readonly since: number;
  /** The first turn since somebody reads: how long what is older waits is not known, and it is left out. */
  first: number;
}

export interface FigureRows {
  /** The same for as long as it is watched, so that it may be kept. */
  of(function_: string, version: string): Watched;
  answered(watched: Watched, status: number, milliseconds: number): void;
  /** Answers the turn of the clock, to be told when the request is over. */
  began(watched: Watched): number;
  ended(watched: Watched, turn: number): void;
  /** Forgets all versions of the function but these. */
  keep(function_: string, versions: readonly string[]): void;
  /** As `keep`, for all functions at once. */
  keepAll(versionsOf: (function_: string) => readonly string[]): void;
  read(functions: readonly string[]): RuntimeFigures["functions"];
}

export function createFigures({ span = SPAN, now = Date.now } = {}): FigureRows {
  const functions = new Map<string, Map<string, Watched>>();
  let turn = 0;
  let turnedAt = 0;

  function keep(function_: string, versions: readonly string[]): void {
    const known = functions.get(function_);
    for (const version of known?.keys() ?? []) if (!versions.includes(version)) known!.delete(version);
    if (known?.size === 0) functions.delete(function_);
  }

  /** Only who reads turns the clock: without a reader nothing needs to be late. */
  function turnClock(): void {
    const passed = now() - turnedAt;
    if (passed < LATE) return;
    turn++;
    turnedAt = now();
    for (const versions of functions.values()) {
      for (const watched of versions.values()) {
        const isKnown = Math.min(passed, now() - watched.since) < 2 * LATE;
        const [young, old, late] = watched.open;
        watched.open = isKnown ? [0, young, late + old] : [0, 0, 0];
        if (!isKnown) watched.first = turn;
      }
    }
  }

  return {
    of(function_, version) {
      const versions = functions.get(function_) ?? new Map<string, Watched>();
      functions.set(function_, versions);
      const marks = { total: nothing(), newer: nothing(), older: nothing(), left: span };
      const watched = versions.get(version) ?? { ...marks, open: [0, 0, 0], since: now(), first: 0 };
      versions.set(version, watched);
      return watched;
    },
    answered(watched, status, milliseconds) {
      const { total } = watched;
      total.requests++;
      if (status >= 500) total.failures++;
      let bucket = 0;
      while (bucket < FIGURE_BUCKETS.length && milliseconds > FIGURE_BUCKETS[bucket]!) bucket++;
      total.buckets[bucket]!++;
      if (--watched.left > 0) return;
      watched.older = watched.newer;
      watched.newer = { ...total, buckets: [...total.buckets] };
      watched.left = span;
    },
    began(watched) {
      watched.open[0]++;
      return turn;
    },
    ended(watched, begun) {
      if (begun < watched.first) return;
      watched.open[Math.min(turn - begun, 2) as 0 | 1 | 2]--;
    },
    keep,
    keepAll(versionsOf) {
      for (const name of functions.keys()) keep(name, versionsOf(name));
    },
    read(names) {
      turnClock();
      const read = (versions: Map<string, Watched> = new Map()) =>
        [...versions].map(
          ([
            id,
            {
              total,
              older,
              open: [, , late],
            },
          ]) => {
            return [id, { total: withLate(total, late), recent: withLate(difference(total, older), late) }] as const;
          },
        );
      return Object.fromEntries(names.map((name) => [name, Object.fromEntries(read(functions.get(name)))]));
    },
  };
}

function nothing(): Figures {
  return { requests: 0, failures: 0, buckets: new Array<number>(FIGURE_BUCKETS.length + 1).fill(0) };
}

/** What nobody has answered for so long failed, and took longer than any bound. */
function withLate({ requests, failures, buckets }: Figures, late: number): Figures {
  const last = buckets.length - 1;
  const slow = buckets.map((count, index) => (index === last ? count + late : count));
  return { requests: requests + late, failures: failures + late, buckets: slow };
}

function difference(after: Figures, before: Figures): Figures {
  return {
    requests: after.requests - before.requests,
    failures: after.failures - before.failures,
    buckets: after.buckets.map((count, index) => count - before.buckets[index]!),
  };
}
