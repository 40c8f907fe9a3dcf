// Tells forges what becomes of commits, and receivers what happens, beside the passes.

import type { PassReport } from "../../model.js";
import { createPost, type PostDeps } from "../../notify/index.js";
import type { PassRun } from "../loop.js";
import type { Telling } from "../telling.js";
import { type CommitStatusesDeps, createCommitStatuses } from "./commit-statuses.js";
import { createReceivers, type ReceiversDeps } from "./receivers.js";
import { createSending, type SendingDeps } from "./sending.js";

export interface TellingDeps
  extends Omit<CommitStatusesDeps, "registry" | "post" | "admit" | "wake" | "pageOf">,
    Omit<SendingDeps, "outboxes">,
    PostDeps {
  registry: CommitStatusesDeps["registry"] & ReceiversDeps["registry"];
  /** Address of a function; undefined: others cannot open it. */
  functionPage(name: string): string | undefined;
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
  const requests = createPost(deps);
  const { outbox, ...statuses } = createCommitStatuses({ ...deps, ...requests, pageOf, wake: () => wake() });
  const { outbox: letters, ...receivers } = createReceivers({
    ...{ ...deps, ...requests },
    linkOf: ({ function: name, source }) => {
      const page = name === undefined ? undefined : deps.functionPage(name);
      return page ?? (source === undefined ? null : pageOf(source));
    },
  });
  const sending = createSending({ ...deps, outboxes: [outbox, letters] });
  deps.registry.notifications.listen({
    queued: () => wake(),
    dropped: (kind, count) => deps.count(kind, "dropped", count),
  });
  return {
    ...statuses,
    ...receivers,
    start() {
      wake = sending.wake;
      sending.wake();
    },
    calm: sending.calm,
    close: sending.close,
  };
}
