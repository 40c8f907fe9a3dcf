// The words of what people do by hand: uploads, holds, deployments, and why a function is as it is. Types and pure functions;
// model.ts hands them on.

import type { ErrorReport, Position } from "./errors.js";
import type { Bundle, Drift, FunctionState, PassReport, PlatformEvent, SourceStatus, Warning } from "./model.js";
import type { BoundDatabase } from "./model-databases.js";
import type { Suspension } from "./model-sources.js";
import type { AutoRollback, Gradual, TrialStatus } from "./model-trials.js";

/** How a version that was not built from git came to be. */
export interface UploadOrigin {
  /** Counts the versions of the function from 1 on. */
  number: number;
  /** `secret`: made by a change of secrets alone. */
  kind: "upload" | "secret";
  author: string;
  /** The client as it calls itself. */
  client: string;
  /** At most 1,000 characters each. */
  message?: string;
  tag?: string;
  /** Names of the secrets that the version carries, sorted; the values are sealed in the registry. */
  secrets: string[];
}

/** A value of `env` as an upload brings it. */
export type UploadBinding =
  | { kind: "text"; name: string; text: string }
  | { kind: "json"; name: string; json: unknown }
  | { kind: "secret"; name: string; text: string }
  /** Without a name of the database, one of that id must be there. */
  | { kind: "d1"; name: string; id?: string; databaseName?: string }
  /** Taken from the version before. */
  | { kind: "inherit"; name: string };
export type BindingKind = Exclude<UploadBinding["kind"], "inherit">;

/** Modules and configuration that a client brings, checked by shape; whether they load is not known yet. */
export interface Upload {
  bundle: Pick<Bundle, "main" | "modules" | "sourceMaps">;
  /** Absent: that of the version before, or the platform's own where there is none. */
  compatibilityDate?: string;
  compatibilityFlags?: string[];
  bindings: UploadBinding[];
  /** Kinds that are kept from the version before; what `bindings` names wins. */
  keep: BindingKind[];
  observability?: boolean;
  /** As `[wrkst]` of a wrangler file says. */
  health?: string;
  egress?: "none" | "public";
  share?: string[];
  /** Absent: as the version before; false: not. */
  autoRollback?: AutoRollback | false;
  gradual?: Gradual | false;
  message?: string;
  tag?: string;
  /** Alias that is set to the new version. */
  alias?: string;
  /** The client as it calls itself: `wrangler`, `wrkst`, `api`. */
  client: string;
}

/** A function of an account. */
export interface FunctionRef {
  account: string;
  name: string;
}

/** Who does something, for deployments and audit events. */
export interface Actor {
  name: string;
  email: string | null;
  /** Kind and id of the credential, e.g. `api-token:3f…`. */
  credential: string;
  /** Of the client. */
  address: string;
}

/** One or two versions and their share of the traffic; the shares sum to 100, with at most three decimals. */
export type TrafficSplit = { version: string; percentage: number }[];

/** Secrets by name, each value sealed by itself: only the platform's key opens it, for the one function and name. */
export type SealedSecrets = Record<string, string>;

/** The author of what the platform does by itself. */
export const PLATFORM_NAME = "wrkst";

/** In place of an alias: what holds all of them. No alias can have that name. */
export const EVERY_ALIAS = "*";

/** `[wrkst] pin`: the repository itself holds an alias at a tag or a commit. */
export interface DeclaredPin {
  /** `latest` or another one. */
  alias: string;
  /** Name of a tag, or a commit of 7 to 40 hex. */
  ref: string;
  /** In the wrangler file. */
  position: Position;
}

/** Where a declared pin led when its revision was switched to. */
export interface StandingPin extends DeclaredPin {
  /** 40 hex. */
  commit: string;
  version: string;
  /** Since when, milliseconds since 1970. */
  createdAt: number;
}

/** Who a declared pin is of, where a person's hold names its author. */
const REPOSITORY = "the repository";

/** A declared pin as what it is below every person's hold. */
export function holdOfPin({ alias, version, createdAt, ref, commit, position }: StandingPin): Hold {
  return { alias, kind: "pin", version, author: REPOSITORY, createdAt, declared: { ref, commit, position } };
}

/** `functions/api/wrangler.toml:12`. */
export function placeOf({ file, line }: Position): string {
  return line === undefined ? file : `${file}:${line}`;
}

/** A person's hold on an alias, or one that the repository declares; a suspension holds every alias. */
export interface Hold {
  alias: string;
  kind: "pin" | "rollback" | "suspension";
  /** Version that the alias is held at; of a suspension, what served when it was made. */
  version: string;
  /** Of a rollback: the version that was rejected. The hold ends with the next one that is another. */
  rejected?: string;
  reason?: string;
  author: string;
  /** Milliseconds since 1970. */
  createdAt: number;
  expiresAt?: number;
  /** Of a suspension: requests are refused too. */
  offline?: true;
  /** Of a pin that the repository declares: what it names and where. */
  declared?: Pick<StandingPin, "ref" | "commit" | "position">;
}

/** Whether the hold keeps git from moving the alias to the version. An expired hold is none; that is for the caller to see. */
export function holdsBack(hold: Hold | undefined, version: string): boolean {
  return hold !== undefined && (hold.kind !== "rollback" || version === hold.rejected);
}

/** State of a function that has neither failed nor been taken out of service. */
export function restingState(
  latest: string | null,
  split: TrafficSplit | null,
  hold: Hold | undefined,
): "ready" | "pending" | "gradual" | "pinned" | "rolled-back" {
  if (latest === null) return "pending";
  if (split) return "gradual";
  if (hold) return hold.kind === "rollback" ? "rolled-back" : "pinned";
  return "ready";
}

/** What a client may set of a function that belongs to no version. */
export interface FunctionSettings {
  tags: string[];
  logpush: boolean;
  observability: boolean;
  /** `<function>.<base>` answers. */
  enabled: boolean;
  /** Hosts of versions answer. */
  previews: boolean;
}

/** How a custom host was asked for: as a route of a zone, or as a domain of its own. Each is replaced apart. */
export type HostKind = "route" | "domain";

/** Custom hosts as they were asked for; a host may be there as both. */
export type AskedHosts = Partial<Record<HostKind, string[]>>;

/** Why a deployment was made. */
export type DeploymentCause =
  | "push"
  | "sync"
  | "webhook"
  | "start"
  | "api"
  | "revert"
  | "restore"
  | "removal"
  | "secret"
  | "rollback"
  | "pin"
  | "unpin"
  /** A further step of a gradual switch. */
  | "gradual";

export interface Deployment {
  id: string;
  function: string;
  /** Milliseconds since 1970. */
  at: number;
  cause: DeploymentCause;
  author: string;
  /** Revision that asked for it, in the form of `formatRevision`; null for direct deploys. */
  revision: string | null;
  from: string | null;
  /** null: the function was removed. Of a split, the version with the greater share. */
  to: string | null;
  /** Present while the traffic is divided. */
  split?: TrafficSplit;
  message?: string;
  /** What who asked for it should know: databases are newer than the code. In the answer to that call only. */
  warnings?: Warning[];
  /** Kind and id of the credential, and the client's address, for what came by the API. */
  credential?: string;
  address?: string;
}

/** What one pass took, and who had asked for it. */
export interface PassSummary extends Pick<PassReport, "phases" | "milliseconds"> {
  /** In the form of `formatRevision`. */
  revision: string;
  /** Milliseconds since 1970. */
  at: number;
  cause: DeploymentCause;
  author: string;
}

/** What explanations need to know of a source. Times are milliseconds since 1970. */
export interface SourceHistory {
  pass?: PassSummary;
  /** When what failed is tried again. */
  retryAt?: number;
  /** When the repository is looked at again by itself. */
  looksAt?: number;
  suspension?: Suspension;
  error?: ErrorReport;
  lastEvent?: PlatformEvent;
}

/** `GET /api/v1/sources/:source/why`. */
export interface SourceExplanation
  extends Pick<SourceStatus, "name" | "state" | "revision" | "lastFetch" | "error">,
    Pick<Explanation, "decision" | "rule" | "next" | "nextAt" | "lastEvent" | "pass"> {
  /** Functions of it that differ from git. */
  drift: { name: string; drift: Drift }[];
}

/** `GET /api/v1/functions/:name/why`. */
export interface Explanation {
  name: string;
  state: FunctionState;
  version: string | null;
  /** Version that git gave last, where another one serves. */
  declared?: string;
  /** A version has to stand its trial. */
  trial?: TrialStatus;
  revision: string | null;
  /** What was decided, as a sentence. */
  decision: string;
  /** The rule behind it. */
  rule: string;
  /** What to do, or to wait for. */
  next: string;
  /** When the next step comes by itself, milliseconds since 1970. */
  nextAt?: number;
  /** The last pass that touched it. */
  pass?: PassSummary;
  lastEvent: PlatformEvent | null;
  lastDeployment: Deployment | null;
  holds: Hold[];
  /** By binding; absent where there are none. */
  databases?: BoundDatabase[];
  error?: ErrorReport;
}
