// Who waits for previews: for one of a commit, or for its end. Each is answered once.

import type { PreviewRecord } from "../../store/index.js";

export interface Waiter {
  /** Under which what it waits for is known. */
  key: string;
  /** Null: that it is gone. */
  commit: string | null;
  /** Undefined where there is no preview of the branch. */
  resolve(record: PreviewRecord | undefined): void;
}

export class Waiting {
  #waiters: Waiter[] = [];

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  keys(): Set<string> {
    return new Set(this.#waiters.map(({ key }) => key));
  }

  /** Answers those that fit; the record is read only where there are any. */
  resolve(fits: (waiter: Waiter) => boolean, record: () => PreviewRecord | undefined = () => undefined): void {
    if (!this.#waiters.some(fits)) return;
    const found = record();
    const done = this.#waiters.filter(fits);
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve(found);
  }

  /** Answers all, each with the record under its key. */
  release(records: ReadonlyMap<string, PreviewRecord>): void {
    for (const { key, resolve } of this.#waiters.splice(0)) resolve(records.get(key));
  }
}
