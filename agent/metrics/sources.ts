// What is read off sources and functions when somebody asks. Pure.

import { FUNCTION_STATES, type Status } from "../model.js";
import { METRICS } from "./catalogue.js";
import type { Family } from "./exposition.js";

/** Times are milliseconds since 1970; null: never. */
export interface SourceReading {
  name: string;
  lastFetch: number | null;
  /** When the revision that serves was switched in. */
  revisionAt: number | null;
}

export function sourceFamilies(sources: readonly SourceReading[], now: number): Family[] {
  const known = (of: (source: SourceReading) => number | null, value: (at: number) => number) =>
    sources.flatMap((source) => {
      const at = of(source);
      return at === null ? [] : [{ labels: { source: source.name }, value: value(at) }];
    });
  const age = (at: number) => Math.max(0, now - at) / 1000;
  return [
    {
      definition: METRICS.lastFetch,
      samples: known(
        ({ lastFetch }) => lastFetch,
        (at) => at / 1000,
      ),
    },
    { definition: METRICS.staleness, samples: known(({ lastFetch }) => lastFetch, age) },
    { definition: METRICS.revisionAge, samples: known(({ revisionAt }) => revisionAt, age) },
  ];
}

export interface FunctionReading {
  /** Of all that there are. */
  names: ReadonlySet<string>;
  drift: Status["drift"];
}

export function driftFamily(drift: FunctionReading["drift"]): Family {
  const reasons = FUNCTION_STATES.filter((state) => state !== "ready");
  return {
    definition: METRICS.drift,
    samples: reasons.map((reason) => ({ labels: { reason }, value: drift[reason] ?? 0 })),
  };
}
