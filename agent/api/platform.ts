// What the API asks of the platform; implemented by whoever wires the agent. Types only.

import type {
  Deployment,
  FunctionState,
  FunctionStatus,
  PassReport,
  PlatformEvent,
  RevisionDiff,
  RuntimeStatus,
  SourceHistory,
  SourceStatus,
  Status,
} from "../model.js";
import type { Job } from "../reconcile/platform.js";

export type { Job };

export interface FunctionDetail extends FunctionStatus {
  /** Newest first. */
  deployments: Deployment[];
  versions: { id: string; artifact: string; size: number; createdAt: number }[];
}

export interface SyncRequest {
  /** Answer when the pass is done, with its report; otherwise at once, with the job. */
  wait: boolean;
  cause: "sync" | "webhook";
  author: string;
  /** Plan although the revision was handled before. */
  force: boolean;
  /** Remove beyond the prune limit. */
  prune: boolean;
  /** Commit that was announced and may not show yet. */
  goal?: string;
  /** Aborted when whoever waits is gone. The pass itself goes on. */
  signal: AbortSignal;
}

export interface EventQuery {
  /** Events after this id, ascending; without it the newest first. */
  after?: number;
  before?: number;
  limit: number;
  /** Whole (`source.synced`), or the noun alone. */
  kinds?: string[];
  function?: string;
  source?: string;
}

export interface EventPage {
  events: PlatformEvent[];
  /** For the `after` or `before` of the next page; null at the end. */
  cursor: string | null;
  /** Ids of the oldest event that is kept and of the newest, whatever was asked for; 0 where there is none. */
  oldest: number;
  newest: number;
}

export interface Platform {
  status(): Promise<Status>;
  /** Cheap: asked by health checks. */
  runtime(): RuntimeStatus;
  ready(): { ready: boolean; reasons: string[] };
  functions(query: { source?: string; state?: FunctionState; account?: string }): Promise<FunctionStatus[]>;
  function(name: string): Promise<FunctionDetail | undefined>;
  /** Account of a function, live or removed. */
  ownerOf(name: string): string | undefined;
  events(query: EventQuery): Promise<EventPage>;
  /** What happened last to the function that has the name now. */
  lastEvent(name: string): PlatformEvent | undefined;
  /** Declarations of the name that came second. */
  secondOf(name: string): FunctionStatus[];
  /** What a source did for a revision, or last, its last event, and when it tries again what failed. */
  history(source: string, revision?: string | null): SourceHistory;
  sources(): SourceStatus[];
  /** @throws WrkstError ERR_NOT_FOUND */
  sync(source: string, request: SyncRequest): Promise<PassReport | Job>;
  /** What a branch, tag or commit would change; without one, what is followed, as it is there now. @throws WrkstError ERR_NOT_FOUND */
  diff(source: string, ref: string | undefined, signal: AbortSignal): Promise<RevisionDiff>;
  job(id: string): Job | undefined;
  /** Brings a removed function back. @throws WrkstError ERR_NOT_FOUND */
  restore(name: string, author: string): Promise<FunctionStatus>;
  /** Ends a quarantine. @throws WrkstError ERR_NOT_FOUND */
  release(name: string, author: string): Promise<FunctionStatus>;
}
