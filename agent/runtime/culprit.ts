// Decides which function froze the runtime, from what was in flight at each freeze. Pure.
//
// Exactly one function in flight: it did it, there was nobody else. Several: the guilty one is among them, but it may
// have waited for a neighbour to come in before it began to loop, and two accounts may take turns so that only the victim
// is in flight every time. So several are reported and never quarantined, however often they come together.
// All of it holds only when what may still run after the answer (`waitUntil`) counts as in flight: see contexts.ts.
// Missing here, on purpose: suspects in a runtime process of their own until one is proven.

/** A stop of the runtime that a function may have caused. */
export interface Freeze {
  at: number;
  /** Whether entries and exits were reported when it happened; without, nothing is known. */
  traced: boolean;
  /** Whether `inFlight` has everything that could still run; otherwise the one who is alone in it may be innocent. */
  isComplete: boolean;
  /** Names, each once. */
  inFlight: string[];
}

export type Verdict =
  | { kind: "unknown" }
  | { kind: "culprit"; name: string }
  /** `suspects`: in flight at every traced freeze of the window, or, where there is none, at the last. `freezes`: how many. */
  | { kind: "suspects"; suspects: string[]; freezes: number };

/** After a freeze, entries and exits are reported for so long, and freezes count together. Milliseconds. */
export const SUSPICION = 300_000;

/** The verdict on the last freeze of the list; the list ascends in time. */
export function judge(freezes: Freeze[]): Verdict {
  const last = freezes.at(-1);
  if (!last?.traced || !last.inFlight.length) return { kind: "unknown" };
  const [only, ...others] = last.inFlight;
  if (only !== undefined && !others.length && last.isComplete) return { kind: "culprit", name: only };
  const traced = freezes.filter((freeze) => freeze.traced && freeze.inFlight.length && freeze.at > last.at - SUSPICION);
  const always = last.inFlight.filter((name) => traced.every((freeze) => freeze.inFlight.includes(name)));
  return always.length
    ? { kind: "suspects", suspects: always.toSorted(), freezes: traced.length }
    : { kind: "suspects", suspects: last.inFlight.toSorted(), freezes: 1 };
}

/** Whether the runtime should report entries and exits now. */
export function isSuspicious(freezes: Freeze[], now: number): boolean {
  return freezes.some((freeze) => freeze.at > now - SUSPICION);
}
