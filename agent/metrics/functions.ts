// Sums of what the processes of the runtime have counted. Invariant: sums never go back when a process ends and another begins,
// and name a bounded number of functions, all of which are there.

import { ANSWER_BUCKETS, type RuntimeCounts, UNNAMED } from "../../runtime/wire.js";
import { METRICS } from "./catalogue.js";
import { type Family, histogramSamples, type Sample } from "./exposition.js";

export interface FunctionTotals {
  /** What each process has counted since its start. */
  add(counts: readonly RuntimeCounts[]): void;
  /** @param now.names of the functions that there are; sums of others are forgotten */
  families(now: { names: ReadonlySet<string>; isUp: boolean }): Family[];
}

/** Functions with series of their own; each process names as many at most. */
const MOST = 1_000;
/** Processes whose last numbers are remembered: more than there are at a time. */
const MOST_PROCESSES = 20;
const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"];

export function createFunctionTotals(most = MOST): FunctionTotals {
  const last = new Map<string, RuntimeCounts>();
  const answers = new Map<string, number[]>();
  const buckets = new Array<number>(ANSWER_BUCKETS.length + 1).fill(0);
  let [milliseconds, coldLoads, evictions, isolates] = [0, 0, 0, 0];

  const answersOf = (name: string) => {
    const key = answers.has(name) || answers.size < most ? name : UNNAMED;
    const found = answers.get(key) ?? CLASSES.map(() => 0);
    answers.set(key, found);
    return found;
  };
  const addOne = (counts: RuntimeCounts) => {
    const before = last.get(counts.process);
    for (const [name, numbers] of Object.entries(counts.functions)) {
      addGrowth(answersOf(name), numbers, before?.functions[name]);
    }
    addGrowth(buckets, counts.buckets, before?.buckets);
    milliseconds += counts.milliseconds - (before?.milliseconds ?? 0);
    coldLoads += counts.coldLoads - (before?.coldLoads ?? 0);
    evictions += counts.evictions - (before?.evictions ?? 0);
    last.delete(counts.process);
    last.set(counts.process, counts);
  };

  return {
    add(counts) {
      isolates = counts.reduce((sum, one) => sum + one.isolates, 0);
      for (const one of counts) addOne(one);
      for (const process of last.keys()) if (last.size > MOST_PROCESSES) last.delete(process);
    },
    families({ names, isUp }) {
      for (const name of answers.keys()) if (name !== UNNAMED && !names.has(name)) answers.delete(name);
      const { requestSeconds: definition } = METRICS;
      const bounds = ANSWER_BUCKETS.map((bound) => bound / 1000);
      return [
        { definition: METRICS.requests, samples: [...answers].flatMap(samplesOf) },
        { definition, samples: histogramSamples(definition, { bounds, counts: buckets, sum: milliseconds / 1000 }) },
        { definition: METRICS.coldLoads, samples: [{ value: coldLoads }] },
        { definition: METRICS.evictions, samples: [{ value: evictions }] },
        { definition: METRICS.isolates, samples: isUp ? [{ value: isolates }] : [] },
      ];
    },
  };
}

function addGrowth(sums: number[], numbers: readonly number[], before: readonly number[] | undefined): void {
  for (const index of sums.keys()) sums[index]! += (numbers[index] ?? 0) - (before?.[index] ?? 0);
}

/** Classes that never occurred have no series. */
function samplesOf([name, numbers]: [string, number[]]): Sample[] {
  return numbers.flatMap((value, index) => {
    return value === 0 ? [] : [{ labels: { function: name, status: CLASSES[index]! }, value }];
  });
}
