// Sums of the figures of one trial over the processes of the runtime. Invariant: what a process had counted when it ended
// stays counted, and what was counted before the trial is not. Pure.
import type { RuntimeFigures } from "../../../runtime/wire.js";
import { addFigures } from "../../deploy/trial.js";
import type { Figures, Trial } from "../../model.js";

export interface Tally {
  readonly trial: Trial;
  /** Since the trial began. */
  readonly tried: Figures;
  readonly before: Figures;
  /** Of the version before, from before the trial; undefined until something was read. */
  readonly recent: Figures | undefined;
  /** Requests to the version since its step began. */
  readonly stepRequests: number;
  add(readings: readonly RuntimeFigures[]): void;
  /** The same trial a step on. */
  follow(trial: Trial): void;
}

interface Counted {
  tried: Figures;
  before: Figures;
  /** `before` as it was when the trial began. */
  start: Figures;
}

const NOTHING: Figures = { requests: 0, failures: 0, buckets: [] };

export function createTally(function_: string, begun: Trial): Tally {
  const processes = new Map<string, Counted>();
  let trial = begun;
  let recent = begun.baseline;
  let isRead = false;
  let stepStart = 0;
  const sum = (of: (counted: Counted) => Figures) => [...processes.values()].map(of).reduce(addFigures, NOTHING);
  const tried = () => sum((counted) => counted.tried);

  return {
    get trial() {
      return trial;
    },
    get tried() {
      return tried();
    },
    get before() {
      return sum(({ before, start }) => without(before, start));
    },
    get recent() {
      return recent;
    },
    get stepRequests() {
      return tried().requests - stepStart;
    },
    add(readings) {
      let last = NOTHING;
      for (const { process, functions } of readings) {
        const versions = functions[function_] ?? {};
        const known = processes.get(process);
        const before = versions[trial.before];
        last = addFigures(last, before?.recent ?? NOTHING);
        processes.set(process, {
          tried: versions[trial.version]?.total ?? known?.tried ?? NOTHING,
          before: before?.total ?? known?.before ?? NOTHING,
          start: known?.start ?? (isRead ? NOTHING : (before?.total ?? NOTHING)),
        });
      }
      if (!isRead && readings.length) recent ??= last;
      isRead ||= readings.length > 0;
    },
    follow(next) {
      if (next.step !== trial.step) stepStart = tried().requests;
      trial = next;
    },
  };
}

/** Never below zero: what was late before may have been answered since. */
function without(after: Figures, before: Figures): Figures {
  return {
    requests: Math.max(0, after.requests - before.requests),
    failures: Math.max(0, after.failures - before.failures),
    buckets: after.buckets.map((count, index) => Math.max(0, count - (before.buckets[index] ?? 0))),
  };
}
