// The words of answers about how things are: sources, functions, runtime. Types only; model.ts hands them on.

import type { ErrorReport } from "./errors.js";
import type { FunctionState, Warning } from "./model.js";
import type { BoundDatabase } from "./model-databases.js";
import type { Hold, TrafficSplit } from "./model-deploys.js";
import type { Signer, Suspension } from "./model-sources.js";
import type { TrialStatus } from "./model-trials.js";

/** `GET /api/v1/status`. Times are ISO 8601. */
export interface SourceStatus {
  name: string;
  /** URL or path without credentials; "embedded" for the embedded repository. */
  repo: string;
  branch: string;
  path: string;
  /** What serves. */
  revision: string | null;
  state: "ready" | "pending" | "failed" | "empty" | "suspended";
  lastFetch: string | null;
  /** `lastFetch` where that is too long ago: more than ten intervals. */
  staleSince?: string;
  /** Who signed what serves, where signatures are checked. */
  signedBy?: Signer;
  error?: ErrorReport;
}

export interface FunctionStatus {
  name: string;
  account: string;
  source: string | null;
  folder: string | null;
  version: string | null;
  revision: string | null;
  state: FunctionState;
  url: string;
  /** Exact custom hosts that it claims; absent where there are none. */
  hosts?: string[];
  updatedAt: string | null;
  /** What a person holds `latest` at. */
  hold?: Hold;
  /** Nothing of it moves. */
  suspension?: Suspension;
  /** How it differs from what its source declares. */
  drift?: Drift;
  split?: TrafficSplit;
  /** A version has to stand its trial. */
  trial?: TrialStatus;
  /** Version that git gave last, where another one serves. */
  declared?: string;
  /** By binding; only where one function is asked for. */
  databases?: BoundDatabase[];
  error?: ErrorReport;
  warnings?: Warning[];
}

export interface RuntimeStatus {
  state: "starting" | "running" | "restarting" | "stopped";
  pid: number | null;
  restarts: number;
  isolates: number;
  lastRestart?: { at: string; reason: string };
}

/** How what serves differs from what git declares. */
export interface Drift {
  reason: Exclude<FunctionState, "ready">;
  /** Who, why, until when. */
  because: string;
}

export interface Status {
  sources: SourceStatus[];
  functions: FunctionStatus[];
  /** Functions among them that differ from git, by reason. */
  drift: Partial<Record<Drift["reason"], number>>;
  runtime: RuntimeStatus;
}
