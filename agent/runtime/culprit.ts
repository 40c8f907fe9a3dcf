// Decides which function froze a process, from what was in flight. Pure.
//
// Exactly one function in flight: it did it, there was nobody else. Several: the guilty one is among them, but it may
// have waited for a neighbour to come in before it began to loop, and two accounts may take turns so that only the victim
// is in flight every time. So of several none is ever accused, however often they come together: they go into wards
// (wards.ts), processes that hold a few suspects each, until the guilty one freezes a ward that held nobody else.
// Statements of SQL stop the process by themselves: what froze it while they ran is one of those who may have sent them.
// All of it holds only when what may still run after the answer (`waitUntil`) counts as in flight: see contexts.ts.

/** A stop of the runtime that a function may have caused. */
export interface Freeze {
  at: number;
  /** Whether entries and exits were reported when it happened; without, nothing is known. */
  traced: boolean;
  /** Whether `inFlight` has everything that could still run; otherwise the one who is alone in it may be innocent. */
  isComplete: boolean;
  /** Whether statements of SQL ran, and nothing else. */
  isStatement: boolean;
  /** Names, each once; while statements ran, only of those who may have sent them. */
  inFlight: string[];
}

export type Verdict =
  | { kind: "unknown" }
  | { kind: "culprit"; name: string }
  /** Everything that was in flight, ascending. */
  | { kind: "suspects"; suspects: string[] };

/** After a freeze, entries and exits are reported for so long. Milliseconds. */
export const SUSPICION = 300_000;
/** A suspect that was calm for so long in its ward is none any more. Milliseconds. */
export const CALM = 600_000;

export function judge(freeze: Freeze): Verdict {
  if (!freeze.traced || !freeze.inFlight.length) return { kind: "unknown" };
  const [only, ...others] = freeze.inFlight;
  if (only !== undefined && !others.length && freeze.isComplete) return { kind: "culprit", name: only };
  return { kind: "suspects", suspects: freeze.inFlight.toSorted() };
}

/**
 * Suspects as groups, one for each ward. Those in `focus`, of which one froze something just now, share wards with nobody
 * else and with as few of their own as possible; all others share the first ward.
 */
export function groupSuspects(focus: string[], others: string[], wards: number): string[][] {
  const groups: string[][] = Array.from({ length: wards }, () => []);
  const first = others.length && wards > 1 ? 1 : 0;
  if (others.length) groups[0]!.push(...others);
  for (const [index, name] of focus.entries()) groups[first + (index % (wards - first))]!.push(name);
  return groups;
}

/** Whether the runtime should report entries and exits now. */
export function isSuspicious(freezes: Freeze[], now: number): boolean {
  return freezes.some((freeze) => freeze.at > now - SUSPICION);
}
