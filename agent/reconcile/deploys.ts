// What can be done to a function by hand: upload, deploy, split, roll back, alias, pin, secrets, settings, delete. The
// contract between the API and what does it. Types only.
import type {
  Actor,
  Bundle,
  Deployment,
  FunctionRef,
  FunctionSettings,
  Hold,
  HostKind,
  Suspension,
  TrafficSplit,
  Upload,
  Version,
  Warning,
} from "../model.js";

/** A version and how it can be reached. */
export interface VersionDetail extends Version {
  /** Aliases that lead to it, `latest` first. */
  aliases: string[];
  /** Share of the traffic of `latest`, 0–100. */
  percentage: number;
  /** Commit that it was built from first, 40 hex; null for uploads. */
  commit: string | null;
  /** Origin of its own host, `https://<8 hex>--<function>.<base>`; null where no host leads to it. */
  url: string | null;
  /** Of the bindings that it declares. */
  databases: { binding: string; id: string; name: string }[];
  /** Milliseconds that the check took to load it; only in the answer to `upload`. */
  startup?: number;
  /** Only in the answer to `upload`: databases that were made for it, empty. */
  created?: { id: string; name: string }[];
  /** Only in the answer to `upload`: what its preview lacks. */
  warnings?: Warning[];
}

export interface UploadOptions {
  /** Makes a function that is not there. */
  create: boolean;
  /** Default true. Off: it is about to be deployed, and needs no copies of databases before. */
  previews?: boolean;
}

export interface AliasDetail {
  name: string;
  version: string;
  createdAt: number;
  /** What holds it, if anything. */
  hold?: Hold;
  url: string;
}

export interface DeployRequest {
  versions: TrafficSplit;
  message?: string;
  /** Also where git declares the function (a pin then), where a pin is in the way, and where secrets have changed since. */
  force: boolean;
}

/**
 * Every write is one transaction, is recorded as an audit event with the actor, and answers only when the runtime serves
 * the change. All throw ERR_NOT_FOUND for a function that the account does not have.
 * `version` arguments take an id, a prefix of 8 or more, a commit, an alias or a tag; what is ambiguous or unknown throws
 * ERR_VERSION_NOT_FOUND.
 */
export interface Deploys {
  /**
   * Checks and stores a version; deploys nothing. A function that is not there is made when `create` is set. The version
   * before, which `keep` and `inherit` take from, is the one that was made last, whether it serves or not.
   * @throws WrkstError ERR_LOAD, ERR_NAME_TAKEN, ERR_DATABASE_NOT_FOUND, ERR_CONFLICT (a database that is another function's), ERR_INHERIT (what `inherit` names and the version before lacks, in Cloudflare's
   * words, several joined by "; "), ERR_BINDING_TAKEN (a secret that is kept has the name of something else), ERR_INVALID,
   * ERR_TOO_LARGE
   */
  upload(of: FunctionRef, upload: Upload, options: UploadOptions, by: Actor): Promise<VersionDetail>;
  /** Newest first. */
  versions(of: FunctionRef): VersionDetail[];
  version(of: FunctionRef, version: string): VersionDetail;
  /** The modules as they were uploaded or built. */
  bundle(of: FunctionRef, version: string): Promise<Bundle>;
  /** Newest first; the first one is what serves. */
  deployments(of: FunctionRef): Deployment[];
  /**
   * Moves `latest`. On a function that git declares: an older git version is a rollback hold, the newest one ends a hold,
   * anything else is ERR_GIT_OWNED unless forced, which is a pin. On another one a pin is ERR_CONFLICT unless forced, which
   * ends it. ERR_SECRETS_CHANGED where it is an older upload whose secrets differ from those that serve, and `force` is not set.
   */
  deploy(of: FunctionRef, request: DeployRequest, by: Actor): Promise<Deployment>;
  /** To the version that served before, or the one named. On a function that git declares a hold that ends by itself. */
  rollback(of: FunctionRef, request: { to?: string; reason?: string; force?: boolean }, by: Actor): Promise<Deployment>;
  /** Gives the version that is on trial all the traffic, and ends its trial. @throws WrkstError ERR_CONFLICT where none is */
  promote(of: FunctionRef, by: Actor): Promise<Deployment>;
  aliases(of: FunctionRef): AliasDetail[];
  /** Creates or moves. `latest` is pinned where git declares the function, otherwise deployed at 100 %. A hold on the alias ends. */
  setAlias(of: FunctionRef, alias: string, version: string, by: Actor): Promise<AliasDetail>;
  /** Removes; `latest` is released instead where something holds it, and otherwise ERR_INVALID or ERR_NOT_FOUND. */
  deleteAlias(of: FunctionRef, alias: string, by: Actor): Promise<void>;
  holds(of: FunctionRef): Hold[];
  /** `expires` in milliseconds since 1970. */
  pin(
    of: FunctionRef,
    alias: string,
    request: { version: string; reason?: string; expires?: number },
    by: Actor,
  ): Promise<Hold>;
  /** The newest revision applies at once. @throws WrkstError ERR_NOT_FOUND where nothing holds the alias */
  unpin(of: FunctionRef, alias: string, by: Actor): Promise<void>;
  /**
   * Nothing of it moves until it is resumed or its time is over: deployments, aliases and secrets are ERR_SUSPENDED, what
   * git brings is built and waits. `expires` in milliseconds since 1970; `offline`: requests are refused too.
   * @throws WrkstError ERR_CONFLICT where nothing serves yet
   */
  suspend(
    of: FunctionRef,
    request: { reason: string; expires?: number; offline?: boolean },
    by: Actor,
  ): Promise<Suspension>;
  /** The newest revision applies at once, unless something else holds it. Answers whether it was suspended. */
  resume(of: FunctionRef, by: Actor): Promise<boolean>;
  /** Names, sorted; of the version that serves, or of the function where git declares it. */
  secrets(of: FunctionRef): string[];
  /**
   * Sets (text) and deletes (null) secrets in one step. A directly deployed function gets a new version on the base of the
   * one that serves at 100 % (`base: "serving"`, deployed at once; during a split ERR_SPLIT), or of the newest
   * (`base: "newest"`, or where nothing serves yet; not deployed). A function that git declares keeps its version, and null is
   * answered. The top level is loaded with the new values first: ERR_LOAD changes nothing. ERR_BINDING_TAKEN where a var or a
   * database has the name, ERR_NOT_FOUND where the only change takes away what is not there.
   */
  setSecrets(
    of: FunctionRef,
    changes: Record<string, string | null>,
    options: { base: "serving" | "newest"; message?: string; tag?: string; client: string },
    by: Actor,
  ): Promise<VersionDetail | null>;
  settings(of: FunctionRef): FunctionSettings;
  /** ERR_GIT_OWNED where `enabled` or `previews` would differ from the wrangler file of a function that git declares. */
  setSettings(of: FunctionRef, changes: Partial<FunctionSettings>, by: Actor): Promise<FunctionSettings>;
  /**
   * Exact custom hosts, replacing those of the kind and those of no known kind. Who may ask for a host at all is for the caller to decide.
   * @throws WrkstError ERR_GIT_OWNED, ERR_CONFLICT where a host is another function's, ERR_INVALID
   */
  setHosts(of: FunctionRef, asked: { kind: HostKind; hosts: string[] }, by: Actor): Promise<void>;
  /** As a removal by git: restorable within RETENTION. ERR_GIT_OWNED where git declares it and `force` is not set;
   * forced, git brings it back with the next pass that is not skipped. */
  remove(of: FunctionRef, options: { force: boolean }, by: Actor): Promise<void>;
}
