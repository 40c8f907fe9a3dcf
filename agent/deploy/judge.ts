// Whether a version is clearly worse than the one before it, as far as figures can say: by bounds that chance hardly ever
// passes, however often one looks. Pure; never throws.
import { FIGURE_BUCKETS } from "../../runtime/wire.js";
import type { AutoRollback, Figures } from "../model.js";

/** Of fewer requests nothing is said. */
export const FEWEST = 20;
/** Standard deviations: a trial is looked at hundreds of times, and each look must be as good as never wrong. */
const SURENESS = 3.5;
/** Time counts where more than a tenth of the requests is slow in the eyes of nine tenths of those before. */
const QUANTILE = 0.9;
/** Milliseconds: what is faster is never slow. */
const FLOOR = 100;

/** How clear it must be. */
export type Strictness = Pick<AutoRollback, "failures" | "latency">;

/**
 * What is wrong with the version, with the figures; undefined where nothing is proven. More failures among as many requests
 * never make it better.
 * @param before figures of the version before; where they are of too few requests, only a version of which most requests fail
 *   is found wrong
 */
export function judge(before: Figures | null, tried: Figures, strictness: Strictness): string | undefined {
  if (!(tried.requests >= FEWEST)) return undefined;
  if (before === null || !(before.requests >= FEWEST)) return judgeAlone(tried);
  const { failures, latency } = strictness;
  const failed = { tried: tried.failures, before: before.failures };
  if (isMore(failed, tried.requests, before.requests, failures / 100)) {
    return `${tried.failures} of ${tried.requests} requests failed, ${before.failures} of ${before.requests} before`;
  }
  return latency > 0 ? judgeTime(before, tried, latency) : undefined;
}

function judgeAlone({ requests, failures }: Figures): string | undefined {
  if (!(lowerBound(failures, requests) > 0.5)) return undefined;
  return `${failures} of ${requests} requests failed, and nothing is known of the version before`;
}

function judgeTime(before: Figures, tried: Figures, factor: number): string | undefined {
  const usual = FIGURE_BUCKETS[bucketOf(before, QUANTILE)];
  const index =
    usual === undefined ? -1 : FIGURE_BUCKETS.findIndex((bound) => bound >= Math.max(FLOOR, factor * usual));
  if (index < 0) return undefined;
  const slow = { tried: beyond(tried, index), before: beyond(before, index) };
  if (!isMore(slow, tried.requests, before.requests, 1 - QUANTILE)) return undefined;
  const limit = FIGURE_BUCKETS[index];
  return `${slow.tried} of ${tried.requests} requests took more than ${limit} ms, ${slow.before} of ${before.requests} before`;
}

/** Index of the bucket up to which that part of the requests lies. */
function bucketOf({ requests, buckets }: Figures, part: number): number {
  let seen = 0;
  return buckets.findIndex((count) => {
    seen += count;
    return seen >= requests * part;
  });
}

function beyond({ buckets }: Figures, index: number): number {
  return buckets.slice(index + 1).reduce((sum, count) => sum + count, 0);
}

/** Whether the share of the tried version lies above that of the one before, and by more than the margin. */
function isMore(count: { tried: number; before: number }, tried: number, before: number, margin: number): boolean {
  return lowerBound(count.tried, tried) > upperBound(count.before, before) + margin;
}

/** Bounds of a share after Wilson (1927), which hold for few requests and for shares near 0 and 1. */
function lowerBound(count: number, of: number): number {
  return 1 - upperBound(of - count, of);
}

function upperBound(count: number, of: number): number {
  const square = SURENESS ** 2;
  const share = count / of;
  const spread = SURENESS * Math.sqrt((share * (1 - share)) / of + square / (4 * of ** 2));
  return (share + square / (2 * of) + spread) / (1 + square / of);
}
