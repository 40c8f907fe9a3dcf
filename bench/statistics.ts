// Figures out of samples: median, 99th percentile, spread, and ratios of pairs from the same round. Pure.

export interface Summary {
  samples: number;
  median: number;
  p99: number;
  min: number;
  max: number;
}

/** Throws a `RangeError` without samples. */
export function summarize(samples: readonly number[]): Summary {
  return {
    samples: samples.length,
    median: percentile(samples, 0.5),
    p99: percentile(samples, 0.99),
    min: percentile(samples, 0),
    max: percentile(samples, 1),
  };
}

/**
 * The value below which the share lies, from 0 to 1. Between two samples it is interpolated, so that the median of an even
 * count is the mean of the middle two. Throws a `RangeError` without samples.
 */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new RangeError("expected at least one sample");
  return below + (above - below) * (place - Math.floor(place));
}

/** Ours divided by theirs, round by round: what the machine did meanwhile weighs on both. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  if (ours.length !== theirs.length) {
    throw new RangeError(`expected as many rounds of both, got ${ours.length} and ${theirs.length}`);
  }
  return ours.map((value, index) => value / (theirs[index] as number));
}
