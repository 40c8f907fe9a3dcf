// The words of what a route table is made from. Types only; model.ts hands them on.

import type { FunctionState, Manifest } from "./model.js";
import type { RoutedDatabase } from "./model-databases.js";
import type { FunctionSettings, SealedSecrets, TrafficSplit } from "./model-deploys.js";
import type { Trial } from "./model-trials.js";

/** All that a route table is made from: what the registry answers and `route/` decides on. Live functions only. */
export interface RouteState {
  generation: number;
  functions: RoutedFunction[];
  /** Deployed revisions, ascending. */
  revisions: { seq: number; commit: string }[];
}

export interface RoutedFunction {
  /** UUID that never changes, also not with the name. */
  id: string;
  account: string;
  name: string;
  state: FunctionState;
  latest: string | null;
  /** Versions that share the traffic of `latest`; null: it has all. */
  split: TrafficSplit | null;
  /** Absent: no version is on trial. */
  trial?: Pick<Trial, "version" | "before">;
  /** What a person set where no source declares the function; it wins over the version that serves. */
  settings: Partial<Pick<FunctionSettings, "enabled" | "previews">>;
  /** Raised when something outside a version's identity changed. */
  generation: number;
  /** Custom host → since when it is claimed, milliseconds since 1970. */
  hosts: Record<string, number>;
  /** What `env.D1` of versions that declare no such binding is. */
  database: RoutedDatabase | null;
  /** Alias name → version id, without `latest`. */
  aliases: Record<string, string>;
  /** Of branches, and of commits that were asked for, oldest first; then commits that branches moved on from, newest first. */
  previews: RoutedPreview[];
  versions: RoutedVersion[];
  history: { seq: number; version: string | null }[];
}

/** What one preview makes of a function: a version with copies of its own, whatever the version has elsewhere. */
export interface RoutedPreview {
  /** UUID. */
  id: string;
  /** Alias; of a commit its 40 hex, which is no alias. */
  label: string;
  isBranch: boolean;
  commit: string;
  version: string;
  /** Binding → object that holds the copy; null until it is made. */
  databases: Record<string, string | null>;
  /** Whether it gets the function's secrets. */
  hasSecrets: boolean;
  /** When the branch moved on from the commit, milliseconds since 1970; it works on what the branch has. */
  endedAt?: number;
}

export interface RoutedVersion {
  id: string;
  /** `sha256:<64 hex>`. */
  artifact: string;
  manifest: Pick<
    Manifest,
    "compatibilityDate" | "compatibilityFlags" | "vars" | "egress" | "previewUrls" | "workersDev"
  >;
  entrypoints: string[];
  secrets: SealedSecrets;
  /** Declared bindings and what they were resolved to. */
  databases: Record<string, RoutedDatabase | null>;
  /** Of a version that never served: id of a database → object that holds the version's own copy. */
  copies: Record<string, string>;
  /** When `latest`, or, of what never served, the last preview moved away from it; null when none ever did. */
  replacedAt: number | null;
  /** Whether it ever was `latest`. */
  deployed: boolean;
  /** Brought by a client, with secrets of its own. */
  isUpload: boolean;
  /** Figures of it are kept while it serves: the next version may be compared with it. */
  isWatched?: true;
}
