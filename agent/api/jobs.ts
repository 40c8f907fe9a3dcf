// Work that outlasts a request, asked for again until it is done. Invariant: bounded in number; a failure is kept like a
// result and told to whoever asks.

import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { WrkstError } from "../errors.js";

export interface Job<T> {
  id: string;
  outcome?: { value: T } | { error: unknown };
}

export interface Jobs {
  /** `owner`: who may ask for it. @throws WrkstError ERR_RATE_LIMITED where too many run */
  start<T>(owner: string, work: () => Promise<T>): Job<T>;
  /** @throws WrkstError ERR_NOT_FOUND for a job of another owner too */
  find(owner: string, id: string): Job<unknown>;
  /** The job, when it is done or the patience is over. */
  settled<T>(job: Job<T>, signal: AbortSignal): Promise<Job<T>>;
}

interface Entry {
  owner: string;
  job: Job<unknown>;
  done: Promise<void>;
}

const MOST_RUNNING = 4;
const MOST_KEPT = 500;
const PATIENCE = 10_000;

export function createJobs({ patience = PATIENCE }: { patience?: number } = {}): Jobs {
  const entries = new Map<string, Entry>();

  function forgetOldest(): void {
    for (const [id, { job }] of entries) {
      if (entries.size <= MOST_KEPT) return;
      if (job.outcome) entries.delete(id);
    }
  }

  return {
    start<T>(owner: string, work: () => Promise<T>) {
      const running = [...entries.values()].filter((one) => one.owner === owner && !one.job.outcome);
      if (running.length >= MOST_RUNNING) throw new WrkstError("ERR_RATE_LIMITED", "too many imports and exports run");
      const job: Job<T> = { id: randomBytes(16).toString("hex") };
      const done = work().then(
        (value) => void Object.assign(job, { outcome: { value } }),
        (error) => void Object.assign(job, { outcome: { error } }),
      );
      entries.set(job.id, { owner, job, done });
      forgetOldest();
      return job;
    },
    find(owner, id) {
      const entry = entries.get(id);
      if (entry?.owner === owner) return entry.job;
      throw new WrkstError("ERR_NOT_FOUND", `there is no import or export "${id}"`, { hint: "begin again" });
    },
    async settled(job, signal) {
      const enough = new AbortController();
      const pause = delay(patience, undefined, { signal: AbortSignal.any([signal, enough.signal]) });
      await Promise.race([entries.get(job.id)?.done, pause.catch(() => undefined)]);
      enough.abort();
      return job;
    },
  };
}
