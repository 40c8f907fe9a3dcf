// What previews of a source there should be, and which of them are to be made anew. Changes nothing.

import { createHash } from "node:crypto";
import { labelsOf, matchesBranch } from "../../plan/branch-labels.js";
import type { PreviewRecord } from "../../store/index.js";
import { migrationsOf } from "./migrations.js";
import { isDifferent, type PreviewPassDeps, type PreviewWanted } from "./pass.js";

export interface WantedDeps extends PreviewPassDeps {
  /** Branches that get previews, as globs. */
  patterns: string[];
  /** Branches that sources follow in the same repository. */
  followed(): string[];
  /** All branches as they are: name → commit. */
  branches(signal: AbortSignal): Promise<Map<string, string>>;
}

/** What is to be made, by the key under which somebody waits for it: a branch, or what no branch can be called. */
export interface Item extends PreviewWanted {
  key: string;
}
export type BranchItem = Item & { of: { branch: string } };

export const keyOfAsked = (id: string) => `commit:${id}`;
/** Nothing makes it anew but somebody who asks again. */
const HANDLED = "handled";

export function isPreviewed({ patterns, followed }: WantedDeps, branch: string): boolean {
  return matchesBranch(patterns, branch) && !followed().includes(branch);
}

/** In the order of their names, with their labels. */
export async function branchesWanted(deps: WantedDeps, signal: AbortSignal): Promise<BranchItem[]> {
  if (deps.patterns.length === 0) return [];
  const all = await deps.branches(signal);
  const branches = [...all.keys()].filter((branch) => isPreviewed(deps, branch)).sort();
  const labels = labelsOf(branches, deps.followed());
  return branches.map((branch) => {
    const [commit, label] = [all.get(branch)!, labels.get(branch)!];
    return { key: branch, of: { branch }, commit, label, handled: digestOf(deps, [commit, label]) };
  });
}

/** Of all that a preview is made of. */
function digestOf({ passes, hasSecrets }: WantedDeps, parts: string[]): string {
  const all = [...parts, passes.source.path, passes.environment ?? "", passes.bundlerId, hasSecrets];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex");
}

/** Commits that somebody asked for and that are not made, in the order in which they were. */
export function commitsAsked({ registry, source }: PreviewPassDeps["passes"]): Item[] {
  const waiting = registry.previews.all(source.name).filter(({ branch, handled }) => branch === null && handled === "");
  return waiting
    .sort((a, b) => a.createdAt - b.createdAt)
    .map(({ id, commit, label, function: name }) => {
      return { key: keyOfAsked(id), of: { asked: id, function: name ?? "" }, commit, label, handled: HANDLED };
    });
}

/** What there is, by the key of each. */
export function recordsOf({ registry, source }: PreviewPassDeps["passes"]): Map<string, PreviewRecord> {
  return new Map(registry.previews.all(source.name).map((one) => [one.branch ?? keyOfAsked(one.id), one]));
}

/** Those that are not there as they should be. */
export function dueOf(passes: PreviewPassDeps["passes"], wanted: BranchItem[]): BranchItem[] {
  const [records, production] = [recordsOf(passes), productionOf(passes)];
  return wanted.filter((one) => isDue(one, records.get(one.key), production));
}

/** Whether a version differs from production as it is now. */
function productionOf({ registry, source }: PreviewPassDeps["passes"]): IsDifferent {
  const records = new Map(registry.functions().map((record) => [record.name, record]));
  return (name, id, migrates) =>
    migrates === undefined
      ? isDifferent(source.name, records.get(name), id)
      : isDifferent(source.name, records.get(name), id) || migrationsOf(registry, records.get(name)) === migrates;
}

/** `migrates`: where only migrations differed, a digest of production's at that time. */
type IsDifferent = (name: string, version: string, migrates: string | undefined) => boolean;

function isDue({ handled }: PreviewWanted, record: PreviewRecord | undefined, differs: IsDifferent): boolean {
  return record?.handled !== handled || (!record.error && isStale(record, differs));
}

/** Production has moved, so that another set of functions differs from it. */
function isStale({ versions, functions }: PreviewRecord, differs: IsDifferent): boolean {
  const failed = new Set(functions.flatMap(({ name, error }) => (error ? [name] : [])));
  const there = new Set(functions.flatMap(({ name, version }) => (version === null ? [] : [name])));
  const migrates = new Map(functions.map((one) => [one.name, one.migrates]));
  return Object.entries(versions).some(
    ([name, id]) => !failed.has(name) && differs(name, id, migrates.get(name)) !== there.has(name),
  );
}
