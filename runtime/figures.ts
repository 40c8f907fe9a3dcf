// What watched versions answered and how fast, by version. Invariant: counting makes no object but once in SPAN requests, and
// of a function only the versions are kept that its route names.
import { FIGURE_BUCKETS, type Figures, type RuntimeFigures } from "./wire.js";

/** "Recent" are the last requests, at least so many and at most twice as many. */
const SPAN = 1_000;

/** A version that is watched. */
export interface Watched {
  readonly total: Figures;
  /** `total` as it was SPAN requests ago, and as it was before that. */
  newer: Figures;
  older: Figures;
  /** Requests until the next such mark. */
  left: number;
}

export interface FigureRows {
  /** The same for as long as it is watched, so that it may be kept. */
  of(function_: string, version: string): Watched;
  answered(watched: Watched, status: number, milliseconds: number): void;
  /** Forgets all versions of the function but these. */
  keep(function_: string, versions: readonly string[]): void;
  /** As `keep`, for all functions at once. */
  keepAll(versionsOf: (function_: string) => readonly string[]): void;
  read(functions: readonly string[]): RuntimeFigures["functions"];
}

export function createFigures(span = SPAN): FigureRows {
  const functions = new Map<string, Map<string, Watched>>();

  function keep(function_: string, versions: readonly string[]): void {
    const known = functions.get(function_);
    for (const version of known?.keys() ?? []) if (!versions.includes(version)) known!.delete(version);
    if (known?.size === 0) functions.delete(function_);
  }

  return {
    of(function_, version) {
      const versions = functions.get(function_) ?? new Map<string, Watched>();
      functions.set(function_, versions);
      const watched = versions.get(version) ?? { total: nothing(), newer: nothing(), older: nothing(), left: span };
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
    keep,
    keepAll(versionsOf) {
      for (const name of functions.keys()) keep(name, versionsOf(name));
    },
    read(names) {
      const read = (versions: Map<string, Watched> = new Map()) =>
        [...versions].map(([id, { total, older }]) => [id, { total, recent: difference(total, older) }] as const);
      return Object.fromEntries(names.map((name) => [name, Object.fromEntries(read(functions.get(name)))]));
    },
  };
}

function nothing(): Figures {
  return { requests: 0, failures: 0, buckets: new Array<number>(FIGURE_BUCKETS.length + 1).fill(0) };
}

function difference(after: Figures, before: Figures): Figures {
  return {
    requests: after.requests - before.requests,
    failures: after.failures - before.failures,
    buckets: after.buckets.map((count, index) => count - before.buckets[index]!),
  };
}
