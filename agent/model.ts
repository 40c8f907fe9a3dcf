// The values that the stages hand to each other, and the words of the product. Types and pure functions; imports errors only.

import type { ModuleKind } from "../runtime/wire.js";
import type { ErrorReport, Position } from "./errors.js";
import type { Actor, DeclaredPin, Hold, StandingPin, UploadOrigin } from "./model-deploys.js";
import type { Signer } from "./model-sources.js";
import type { AutoRollback, Gradual } from "./model-trials.js";

export * from "./model-databases.js";
export * from "./model-deploys.js";
export * from "./model-notify.js";
export * from "./model-routes.js";
export * from "./model-sources.js";
export * from "./model-status.js";
export * from "./model-tail.js";
export * from "./model-trials.js";
export type { ModuleKind };

/** State of a function, one union everywhere. */
export const FUNCTION_STATES = [
  "ready",
  "pending",
  "pinned",
  "rolled-back",
  "gradual",
  "failed",
  "suspended",
  "quarantined",
  "name-taken",
  "removed",
] as const;
export type FunctionState = (typeof FUNCTION_STATES)[number];

/** A commit of a source. */
export interface Revision {
  source: string;
  branch: string;
  /** 40 hex. */
  commit: string;
}

/** `main@sha1:<40 hex>`. */
export function formatRevision(revision: { branch: string; commit: string }): string {
  return `${revision.branch}@sha1:${revision.commit}`;
}

/** Function names: DNS label, lower case, 1–53 characters, no `--` (DESIGN.md §5). */
const FUNCTION_NAME = /^[a-z0-9](?:[a-z0-9-]{0,51}[a-z0-9])?$/;
export function isFunctionName(name: string): boolean {
  return FUNCTION_NAME.test(name) && !name.includes("--");
}

/** Aliases: same grammar, not `latest`, not pure hex of 7 or more. */
export function isAliasName(name: string): boolean {
  return isFunctionName(name) && name !== "latest" && !/^[0-9a-f]{7,}$/.test(name);
}

/** A file of a revision's tree. */
export interface TreeFile {
  /** Relative to the root of the source (`GIT_PATH` applied), `/` between the parts. */
  path: string;
  /** Object id of the blob, 40 hex. */
  blob: string;
  /** Bytes. */
  size: number;
}

/** A tree entry that is never written out or read, with the reason. */
export interface RefusedEntry {
  path: string;
  reason: "symlink" | "submodule" | "name" | "too-large" | "too-deep" | "lfs";
  message: string;
}

/**
 * One revision, readable. Reading is lazy and cached by object id; nothing here depends on the state of a ref.
 * Paths are relative to the source's root path, `""` is that root.
 */
export interface Snapshot {
  revision: Revision;
  /** Folders (relative, `""` for the root) that hold a wrangler file, sorted; `node_modules` are left out. */
  functionFolders(): Promise<string[]>;
  /** Object id of the tree at a folder, or undefined where there is none. */
  treeId(folder: string): Promise<string | undefined>;
  /** Names and ids in one folder (not deeper), sorted by name; undefined where there is no such folder. */
  list(folder: string): Promise<{ name: string; kind: "file" | "folder" | "refused"; id: string }[] | undefined>;
  /** Entries below a folder (recursive) that are refused. */
  refused(folder: string): Promise<RefusedEntry[]>;
  /** Bytes of a file, or undefined where there is none. Throws ERR_TREE_REFUSED for a refused entry. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Object id of the blob at the path, without reading it. */
  blobId(path: string): Promise<string | undefined>;
}

/** What a wrangler file says, checked and defaulted. Plain JSON: part of the version's identity. */
export interface Manifest {
  name: string;
  /** Relative to the function's folder; undefined only when the file names none. */
  main: string;
  /** Folder that module names and additional modules are relative to; relative to the function's folder. */
  baseDir?: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  /** Strings and JSON values. */
  vars: Record<string, unknown>;
  d1Databases: D1Binding[];
  rules: ModuleRule[];
  alias: Record<string, string>;
  define: Record<string, string>;
  noBundle: boolean;
  findAdditionalModules: boolean;
  minify: boolean;
  keepNames: boolean;
  tsconfig?: string;
  /** `jsx_factory` and `jsx_fragment` as the file sets them; esbuild's and wrangler's defaults are the same. */
  jsxFactory?: string;
  jsxFragment?: string;
  preserveFileNames: boolean;
  /** Exact custom hosts, from `routes`, lower case. */
  hosts: string[];
  workersDev: boolean;
  previewUrls: boolean;
  observability: boolean;
  /** `[wrkst]`. */
  health?: string;
  egress: "none" | "public";
  preview: boolean;
  /** Names of functions that may use the databases of this one, or `*`; absent: none. */
  share?: string[];
  /** Absent: not watched after a switch, unless it is gradual. */
  autoRollback?: AutoRollback;
  /** Absent: all traffic at once. */
  gradual?: Gradual;
}

export interface D1Binding {
  binding: string;
  databaseName?: string;
  databaseId?: string;
  /** Folder as the file names it; absent: `migrations`, where the only entry has such a folder. */
  migrationsDir?: string;
  migrationsTable?: string;
}

export interface ModuleRule {
  type: "ESModule" | "CommonJS" | "CompiledWasm" | "Text" | "Data";
  globs: string[];
  fallthrough: boolean;
}

/** Something a person should know that stops nothing. */
export interface Warning {
  message: string;
  position?: Position;
}

/** A folder that declares a function, as far as it could be read. */
export interface Declaration {
  /** Folder relative to the source's root, `""` for the root itself. */
  folder: string;
  /** Path of the wrangler file, relative to the source's root. */
  file: string;
  /** Name of the function; where the file could not be read, what could be told (the `name` it seems to say, or the folder's). */
  name: string;
  manifest?: Manifest;
  /** Where databases and vars are declared, by their names in `env`. */
  bindingPositions?: Record<string, Position>;
  /** Aliases that the file holds; absent: none, or, without a manifest, not known. */
  pins?: DeclaredPin[];
  warnings: Warning[];
  /** Present instead of `manifest` when the file is wrong. */
  error?: ErrorReport;
}

/** One module of a bundle. */
export interface BundleModule {
  /** Name as the code imports it, relative, without `./`. */
  name: string;
  kind: ModuleKind;
  bytes: Uint8Array;
}

/** The built modules of one function, in memory. */
export interface Bundle {
  /** Name of the main module, among `modules`. */
  main: string;
  /** Sorted by name. */
  modules: BundleModule[];
  /** Source maps by module name, JSON text; sources are relative to the source's root. Not part of the identity. */
  sourceMaps: Record<string, string>;
  warnings: Warning[];
  /** Files outside the function's own folder that were read (imports, tsconfig, package.json, lockfiles), relative to the
   * source's root, sorted; installed dependencies are left out (the lockfile stands for them). */
  outsideFiles: string[];
  /** Folders outside the function's own folder in which a file was looked for (those of `outsideFiles` and their parents,
   * and the parents of the function's folder, `""` included): a new name there may change what an import finds. Sorted. */
  outsideFolders: string[];
}

/**
 * What a bundle was made from, so that the next revision can tell whether it must be made again. What lies inside the
 * function's own folder is covered by the folder's tree id.
 */
export interface BundleInputs {
  /** The function's own folder: from another place the same names lead elsewhere. */
  folder: string;
  /** Path → blob id, for `outsideFiles`. */
  files: Record<string, string>;
  /** Path → digest of the names in it, for `outsideFolders`. */
  folders: Record<string, string>;
}

/** A version as the registry keeps it. Immutable. */
export interface Version {
  id: string;
  function: string;
  account: string;
  /** `sha256:<64 hex>` of the modules. */
  artifact: string;
  /** `sha256:<64 hex>` of the source maps, if any. */
  sourceMaps?: string;
  /** Bytes of all modules. */
  size: number;
  manifest: Manifest;
  entrypoints: string[];
  createdAt: number;
  /** Absent: built from git. */
  upload?: UploadOrigin;
}

/** One line of the log of what happened. */
export interface PlatformEvent {
  id: number;
  at: number;
  /** noun.verb, e.g. `source.synced`, `function.deployed`, `function.failed`, `runtime.restarted`. */
  kind: string;
  source?: string;
  function?: string;
  /** That the function belonged to when it happened; absent where it concerns no function. */
  account?: string;
  revision?: string;
  message: string;
  error?: ErrorReport;
  /** Who did it; absent: the platform itself. */
  actor?: Actor;
}

/** What happened to one function in one pass. */
export interface FunctionOutcome {
  name: string;
  folder: string;
  result: "created" | "updated" | "unchanged" | "removed" | "failed" | "restored" | "held";
  version?: string;
  /** What keeps the version from serving. */
  hold?: Hold;
  /** The version has to stand its trial, and has so much of the traffic now, in per cent. */
  share?: number;
  /** Aliases that the repository pins, where they have moved. */
  pins?: PinOutcome[];
  url?: string;
  error?: ErrorReport;
  warnings: Warning[];
  /** Declared databases that were made for it, empty. */
  databases?: { id: string; name: string }[];
  /** Migrations that were applied: name of the database, files, and the snapshot of what there was before, if anything. */
  migrations?: { database: string; applied: string[]; snapshot: string | null }[];
}

/** A declared pin that a pass has led to its version. */
export type PinOutcome = Omit<StandingPin, "createdAt">;

/** Numbers of milliseconds by phase of a pass. */
export type Phase = "fetch" | "plan" | "bundle" | "migrate" | "load" | "switch";

/** The answer of one pass of reconcile. */
export interface PassReport {
  source: string;
  /** Revision that served before, `formatRevision` form; null when none did. */
  from: string | null;
  to: string | null;
  /** "unchanged" when there was nothing to do; "superseded" when a newer revision took over. */
  result: "switched" | "unchanged" | "failed" | "superseded";
  functions: FunctionOutcome[];
  /** Set when the pass itself failed (fetch, prune limit …). */
  error?: ErrorReport;
  phases: Partial<Record<Phase, number>>;
  milliseconds: number;
  /** Who signed the revision, where signatures are checked. */
  signedBy?: Signer;
}

/** What a pass tells while it runs; push output and the log of a terminal are made from it. */
export type PassProgress =
  | { kind: "planned"; revision: Revision; changed: number; unchanged: number; removed: number; signedBy?: Signer }
  /** Nobody who may has signed it. */
  | { kind: "refused"; revision: Revision }
  | { kind: "installing"; folder: string }
  /** Now and then while many functions are built. */
  | { kind: "building"; done: number; total: number }
  | { kind: "outcome"; outcome: FunctionOutcome }
  | { kind: "done"; report: PassReport };
