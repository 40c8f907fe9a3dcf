// The words of following repositories: what a source is told to do, who may sign, what holds it, what a revision would
// change. Types only; model.ts hands them on.

import type { ErrorReport } from "./errors.js";
import type { Warning } from "./model.js";
import type { Hold, StandingPin } from "./model-deploys.js";
import type { CommitStatusDetail } from "./model-notify.js";
import type { SourceStatus } from "./model-status.js";

/** How a source is followed. */
export interface SourceSettings {
  /** URL without credentials, or "embedded". */
  repo: string;
  /** A branch, or the newest tag whose name is a version in the range (semver, `v` in front allowed). */
  follow: { branch: string } | { tags: string };
  /** Folder inside the repository, `""` for its root. */
  path: string;
  /** Owner of what it declares. */
  account: string;
  /** Milliseconds between two looks, with jitter; null: only webhooks, pushes and syncs. */
  interval: number | null;
  /** Removals of one pass that need no person's word: of more than `count` functions, at most `percent`. "never": none. */
  prune: { percent: number; count: number } | "never";
  /** All functions of a revision switch, or none. */
  atomic: boolean;
  /** Branches that get previews, as globs (`*` within a part, `**` over parts); empty: none. */
  previews: string[];
  /** Whether previews get the functions' secrets. */
  previewSecrets: boolean;
  verify: VerifyPolicy | null;
}

/** Who must have signed. At least one of `signers` and `keyring` is there. */
export interface VerifyPolicy {
  /** The followed commit, or, of a source that follows tags, the tag object. */
  what: "commit" | "tag";
  /** Text of an SSH allowed-signers file. */
  signers?: string;
  /** ASCII-armored OpenPGP public keys. */
  keyring?: string;
}

/** Who signed a commit or tag, as the tools of git found it. */
export interface Signer {
  what: VerifyPolicy["what"];
  kind: "ssh" | "openpgp";
  /** Principal of the allowed-signers file, or user id of the key. */
  name: string;
  /** `SHA256:…` of an SSH key; hex of the primary OpenPGP key. */
  fingerprint: string;
}

/** The tag that a source follows, as it was fetched. */
export interface FollowedTag {
  name: string;
  /** Id of the tag object; of a lightweight tag, that of the commit. 40 hex. */
  id: string;
}

/** Sealed at rest, never answered. Absent or undefined in an edit: stays; null: goes. */
export interface SourceCredentials {
  username?: string | null;
  token?: string | null;
  /** Text of a private key. */
  sshKey?: string | null;
  /** Text of a known-hosts file. */
  knownHosts?: string | null;
}

/** A person's word that nothing of a source or a function moves. Times are milliseconds since 1970. */
export interface Suspension {
  reason?: string;
  author: string;
  createdAt: number;
  expiresAt?: number;
  /** Of a function: requests are refused too, with the router's page 503. */
  offline?: true;
}

/** `GET /api/v1/sources/:source`. */
export interface SourceDetail extends SourceStatus {
  settings: SourceSettings;
  /** Names of the credentials that are set. */
  credentials: (keyof SourceCredentials)[];
  /** Providers whose webhook has a secret. */
  webhooks: string[];
  /** Where the statuses of its commits go; absent: nowhere. */
  commitStatus?: CommitStatusDetail;
  suspension?: Suspension;
  /** Described by the environment: it cannot be edited or removed by the API. */
  isOfEnvironment: boolean;
  /** Functions that it declares. */
  functions: number;
  /** Branches with previews. */
  branches: BranchPreview[];
}

export interface BranchPreview {
  branch: string;
  /** 40 hex. */
  commit: string;
  /** Alias on each of its functions. */
  alias: string;
  /** With the origin of the preview; `error` where its version did not come to be. */
  functions: { name: string; version?: string; url?: string; error?: ErrorReport }[];
  /** Why nothing of it could be built. */
  error?: ErrorReport;
  /** What its copies of databases lack. */
  warnings?: Warning[];
  updatedAt: number;
}

/** A function as a branch or a commit has it, and where that is to be seen. Times are milliseconds since 1970. */
export interface PreviewEntry {
  /** UUID of the preview, which a branch has once for all of its functions. */
  id: string;
  function: string;
  account: string;
  source: string;
  /** Null: of a commit that somebody asked for. */
  branch: string | null;
  /** 40 hex. */
  commit: string;
  /** `replaced`: the branch moved on from the commit. */
  state: "building" | "ready" | "failed" | "replaced";
  version: string | null;
  url: string | null;
  createdAt: number;
  updatedAt: number;
  /** When its host closes unless somebody asks again; null: it stays, with its branch or for ever. */
  expiresAt: number | null;
  error?: ErrorReport;
  /** What its data lacks. */
  warnings?: Warning[];
}

/** What is to be seen at a commit that somebody asked for. */
export type CommitPreview = Pick<PreviewEntry, "function" | "source" | "commit" | "expiresAt"> & {
  /** `deployed`: the commit served, or serves, and its host leads to that. */
  state: "ready" | "deployed";
  version: string;
  url: string;
};

/** What a revision would change, against what serves; nothing was built or moved for it. */
export interface RevisionDiff {
  source: string;
  /** `formatRevision` form; null where nothing serves yet. */
  from: string | null;
  to: string;
  functions: FunctionDiff[];
  /** Whether anything would change. */
  isChange: boolean;
}

export interface FunctionDiff {
  name: string;
  folder: string;
  change: "create" | "update" | "remove" | "unchanged" | "fail";
  /** What keeps the change, or the newest version, from serving. */
  hold?: Hold;
  /** What the revision pins, each alias at a tag or a commit; `latest` is compared as it is there. */
  pins?: Omit<StandingPin, "version" | "createdAt">[];
  /** Bytes of the modules, where they are known. */
  size?: { from: number | null; to: number | null };
  /** Keys of the configuration that differ, each with both values as JSON; secrets have none. */
  configuration: { key: string; from: unknown; to: unknown }[];
  bindings: { added: string[]; removed: string[]; changed: string[] };
  /** Files that would be applied, by name of the database. */
  migrations: { database: string; pending: string[] }[];
  error?: ErrorReport;
}
