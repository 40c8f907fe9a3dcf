// The sources that the platform follows: the contract between the API, webhooks and what runs their loops. Types only.
import type {
  Actor,
  PassReport,
  RevisionDiff,
  SourceCredentials,
  SourceDetail,
  SourceSettings,
  Suspension,
} from "../model.js";
import type { SyncOptions } from "./loop.js";
import type { Job } from "./platform.js";

/** Whatever names a source throws ERR_NOT_FOUND where there is none. Every write is an audit event with the actor. */
export interface Sources {
  /** By name. */
  list(): SourceDetail[];
  find(name: string): SourceDetail | undefined;
  /**
   * Begins to follow; the repository is looked at first, so that a wrong address or credential is told at once.
   * @throws WrkstError ERR_CONFLICT (name in use), ERR_INVALID, ERR_GIT_…
   */
  add(name: string, settings: SourceSettings, credentials: SourceCredentials, by: Actor): Promise<SourceDetail>;
  /** @throws WrkstError as `add`; ERR_CONFLICT for a source of the environment */
  edit(
    name: string,
    changes: Partial<SourceSettings>,
    credentials: SourceCredentials,
    by: Actor,
  ): Promise<SourceDetail>;
  /**
   * Follows it no longer. Its functions go as if git had removed them (restorable), or stay and are nobody's.
   * @throws WrkstError ERR_CONFLICT for a source of the environment
   */
  remove(name: string, options: { keepFunctions: boolean }, by: Actor): Promise<void>;
  /** Nothing of it moves until it is resumed or `expires` (milliseconds since 1970) has come. */
  suspend(name: string, request: { reason?: string; expires?: number }, by: Actor): Promise<Suspension>;
  resume(name: string, by: Actor): Promise<void>;
  /** A pass: its report, or at once the job that will have it. @throws WrkstError ERR_SUSPENDED while it is suspended */
  sync(name: string, options: SyncOptions & { wait: boolean }): Promise<PassReport | Job>;
  /** The job of a sync, for a while. */
  job(id: string): Job | undefined;
  /** `ref`: a branch, tag or commit of the repository; default: what is followed, as it is there now. */
  diff(name: string, ref: string | undefined, signal: AbortSignal): Promise<RevisionDiff>;
  /** The webhook's secret, made at the first call; `rotate` makes a new one. Only here it is ever answered. */
  webhook(
    name: string,
    provider: string,
    options: { rotate: boolean },
    by: Actor,
  ): Promise<{ url: string; secret: string; created: boolean }>;
  /** For checking signatures. */
  webhookSecret(name: string, provider: string): string | undefined;
}
