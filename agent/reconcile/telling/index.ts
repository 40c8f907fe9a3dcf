// Tells forges what becomes of commits, beside the passes.

import type { PassReport } from "../../model.js";
import { createPost, type PostDeps } from "../../notify/index.js";
import type { PassRun } from "../loop.js";
import type { Telling } from "../telling.js";
import { type CommitStatusesDeps, createCommitStatuses } from "./commit-statuses.js";
import { createSending, type SendingDeps } from "./sending.js";

export interface TellingDeps
  extends Omit<CommitStatusesDeps, "post" | "admit" | "wake" | "pageOf">,
    Omit<SendingDeps, "outboxes">,
    PostDeps {
  /** Origin that others can open, without trailing slash; undefined: they cannot. */
  publicUrl(): string | undefined;
}

export interface RunningTelling extends Telling {
  /** The pass, with its beginning told. */
  watch(pass: PassRun): PassRun;
  passed(report: PassReport): void;
  /** Begins to send what waits. */
  start(): void;
  /** Settles when nothing is under way. */
  calm(): Promise<void>;
  close(): Promise<void>;
}

export function createTelling(deps: TellingDeps): RunningTelling {
  const pageOf = (source: string) => {
    const origin = deps.publicUrl();
    return origin === undefined ? null : `${origin}/api/v1/sources/${source}`;
  };
  let wake = () => {};
  const { outbox, ...statuses } = createCommitStatuses({ ...deps, ...createPost(deps), pageOf, wake: () => wake() });
  const sending = createSending({ ...deps, outboxes: [outbox] });
  return {
    ...statuses,
    start() {
      wake = sending.wake;
      sending.wake();
    },
    calm: sending.calm,
    close: sending.close,
  };
}
