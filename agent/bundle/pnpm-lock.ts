// What a pnpm lockfile would install, checked before pnpm runs, and the workspace file that pnpm may see. Pure.

import { parse } from "yaml";
import type { Position } from "../errors.js";
import { checkSource, isPlainSpecifier, type LocalFolders, type LockContext, refusal } from "./lockfile.js";

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const HINT = "use packages of the registry, or folders of this repository as workspaces";

function parseYaml(text: string, position: Position): Record<string, unknown> {
  try {
    // Aliases are never written by pnpm, and can make a small file large.
    return record(parse(text, { maxAliasCount: 0 }));
  } catch {
    throw refusal(`"${position.file}" is no valid YAML`, position, 'run "pnpm install" and commit the lockfile');
  }
}

/** Checks pnpm-lock.yaml. Throws ERR_INSTALL that names the refused entry. */
export function checkPnpmLock(text: string, context: LockContext): LocalFolders {
  const position = { file: context.file };
  const lock = parseYaml(text, position);
  if (!String(lock.lockfileVersion).startsWith("9.")) {
    throw refusal(
      `the lockfile has version ${lock.lockfileVersion}: expected 9`,
      position,
      'run "pnpm install" with pnpm 9 or 10',
    );
  }
  for (const field of ["patchedDependencies", "configDependencies", "pnpmfileChecksum"]) {
    if (lock[field] !== undefined)
      throw refusal(`"${field}" is not supported`, position, `remove "${field}" and run "pnpm install"`);
  }
  for (const [name, entry] of Object.entries(record(lock.packages))) checkPackage(name, record(entry), context);
  const importers = record(lock.importers);
  for (const importer of Object.values(importers)) checkImporter(record(importer), context);
  for (const [name, specifier] of Object.entries(record(lock.overrides))) checkSpecifier(name, specifier, context);
  const folders = Object.keys(importers).map((folder) => (folder === "." ? "" : folder));
  const odd = folders.find((folder) => /^[/\\]|(?:^|\/)\.\.?(?:\/|$)|[\0-\x1f\\:]/.test(folder));
  if (odd !== undefined) throw refusal(`the workspace ${JSON.stringify(odd)} has an odd place`, position, HINT);
  return folders;
}

function checkPackage(name: string, { resolution }: Record<string, unknown>, context: LockContext): void {
  const { type, repo, directory, tarball, integrity } = record(resolution);
  if (
    type !== undefined ||
    repo !== undefined ||
    directory !== undefined ||
    (tarball === undefined && integrity === undefined)
  ) {
    throw refusal(`"${name}" comes from no registry of packages`, { file: context.file }, HINT);
  }
  if (tarball !== undefined) checkSource(name, tarball, context);
}

function checkImporter(importer: Record<string, unknown>, context: LockContext): void {
  const groups = ["dependencies", "optionalDependencies", "devDependencies"].map((field) => record(importer[field]));
  for (const [name, rawEntry] of groups.flatMap((group) => Object.entries(group))) {
    const { specifier, version } = record(rawEntry);
    checkSpecifier(name, specifier, context);
    if (/^(?:file|git|https?|git\+\w+):/.test(String(version))) checkSpecifier(name, "refused:", context);
  }
}

function checkSpecifier(name: string, specifier: unknown, { file }: LockContext): void {
  if (!isPlainSpecifier(specifier))
    throw refusal(`"${name}" is asked for by other means than a version`, { file }, HINT);
}

/** Settings that decide what is installed, and none that run or redirect anything. */
const KEPT = ["catalog", "catalogs", "overrides"];

/** The pnpm-workspace.yaml for a clean install, as JSON, which is YAML. Always there, so that pnpm looks no further up. */
export function pnpmWorkspace(text: string | undefined, folders: LocalFolders, file: string): string {
  const given = text === undefined ? {} : parseYaml(text, { file });
  for (const value of Object.values(record(given.overrides)))
    checkSpecifier("overrides", value, { file, hosts: new Set() });
  const kept = Object.fromEntries(Object.entries(given).filter(([key]) => KEPT.includes(key)));
  return JSON.stringify({ packages: folders.map((folder) => folder || "."), ...kept });
}
