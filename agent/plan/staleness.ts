// Whether a source has not been read for too long. Pure.

/** So many intervals without a successful fetch are no accident. */
const INTERVALS = 10;
/** A source without an interval is looked at once an hour. */
const HOUR = 3_600_000;

/**
 * @param lastFetch ISO 8601; null: never
 * @param interval milliseconds between two looks; null: only when something is pushed
 * @returns `lastFetch` where it is too long ago
 */
export function staleSince(lastFetch: string | null, interval: number | null, now: number): string | undefined {
  if (lastFetch === null) return undefined;
  return now - Date.parse(lastFetch) > INTERVALS * (interval || HOUR) ? lastFetch : undefined;
}
