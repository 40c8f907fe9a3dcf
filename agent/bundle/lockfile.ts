// What a lockfile would install, checked before any tool runs: packages of the registry and links inside the repository,
// nothing else. Pure.

import { posix } from "node:path";
import { type Position, WrkstError } from "../errors.js";

/** What the checks need to know of the surroundings. */
export interface LockContext {
  /** Path of the lockfile, relative to the repository. */
  file: string;
  /** Hosts that packages may come from. */
  hosts: Set<string>;
}

/** Folders of local packages, relative to the lockfile's folder, `""` for that folder itself; may begin with `../`. */
export type LocalFolders = string[];

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export function refusal(message: string, position: Position, hint: string): WrkstError {
  return new WrkstError("ERR_INSTALL", message, { position, hint });
}

const ONLY_REGISTRY = "use packages of the registry, or folders of this repository as workspaces";

/** Checks package-lock.json or npm-shrinkwrap.json. Throws ERR_INSTALL that names the refused entry. */
export function checkNpmLock(text: string, context: LockContext): LocalFolders {
  const position = { file: context.file };
  const lock = parseJson(text, position);
  if (typeof lock.lockfileVersion !== "number" || lock.lockfileVersion < 2 || !lock.packages) {
    throw refusal(
      "the lockfile is of an old version: expected 2 or 3",
      position,
      'run "npm install" with npm 7 or newer and commit it',
    );
  }
  const folders: string[] = [];
  for (const [key, rawEntry] of Object.entries(record(lock.packages))) {
    const entry = record(rawEntry);
    const name = key.split("node_modules/").pop() || String(entry.name ?? ".");
    checkKey(key, name, position);
    if (!key.includes("node_modules/")) folders.push(key);
    else checkNpmEntry(name, entry, context);
    checkSpecifiers(entry, name, context);
  }
  return folders;
}

function checkNpmEntry(name: string, entry: Record<string, unknown>, context: LockContext): void {
  const position = { file: context.file };
  const resolved = entry.resolved;
  if (entry.link === true) {
    if (typeof resolved !== "string" || !isTame(resolved))
      throw refusal(`"${name}" is a link out of the repository`, position, ONLY_REGISTRY);
    return;
  }
  if (resolved === undefined || entry.inBundle === true) {
    if (!/^\d+\.\d+\.\d+/.test(String(entry.version)))
      throw refusal(`"${name}" has no version`, position, ONLY_REGISTRY);
    return;
  }
  checkSource(name, resolved, context);
}

/** `source` is where a package's bytes come from: only https of a registry's host. */
export function checkSource(name: string, source: unknown, { file, hosts }: LockContext): void {
  const url = typeof source === "string" && URL.canParse(source) ? new URL(source) : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (isWeb && hosts.has(url.host)) return;
  const from = url && isWeb ? `the host "${url.host}"` : `"${redact(String(source)).slice(0, 200)}"`;
  throw refusal(`"${name}" comes from ${from}, which is no registry of packages`, { file }, ONLY_REGISTRY);
}

function checkKey(key: string, name: string, position: Position): void {
  const parts = key.replace(/^(?:\.\.\/)+/, "").split("/");
  const odd = key !== "" && parts.some((part) => ["", ".", "..", ".git"].includes(part) || /[\0-\x1f\\:]/.test(part));
  if (odd) throw refusal(`the entry ${JSON.stringify(name)} has an odd place`, position, ONLY_REGISTRY);
}

/** A relative path without tricks; whether it stays in the repository is seen when it is joined to the lockfile's folder. */
const isTame = (path: string) => !/^[a-z]+:|^[\\/]|[\0-\x1f\\:]/i.test(path);

const DEPENDENCY_FIELDS = ["dependencies", "optionalDependencies", "devDependencies", "peerDependencies"];

/** Refuses what names a source of its own: git, URLs, files. Of a manifest or an entry of a lockfile. */
export function checkSpecifiers(manifest: Record<string, unknown>, of: string, { file }: LockContext): void {
  const groups = DEPENDENCY_FIELDS.map((field) => record(manifest[field]));
  for (const [name, specifier] of groups.flatMap((group) => Object.entries(group))) {
    if (isPlainSpecifier(specifier)) continue;
    const what = `"${name}" of "${of}" is asked for as "${redact(String(specifier)).slice(0, 200)}"`;
    throw refusal(`${what}, which is no package of the registry`, { file }, ONLY_REGISTRY);
  }
}

/** A version, range or tag, `npm:` alias of one, or a path inside the repository. */
export function isPlainSpecifier(specifier: unknown): boolean {
  if (typeof specifier !== "string") return false;
  const [, scheme, rest = ""] = /^([a-z]+):(.*)$/s.exec(specifier) ?? [];
  if (scheme === "npm") return isPlainSpecifier(rest.replace(/^@?[^@]*@?/, ""));
  if (scheme === "workspace" || scheme === "file" || scheme === "link") return isTame(rest);
  if (scheme === "catalog") return /^[\w.-]*$/.test(rest);
  // `user/repository` is GitHub's; ranges and tags have neither a slash nor a colon.
  return /^\.\.?\//.test(specifier) ? isTame(specifier) : !/[/:\\]/.test(specifier);
}

/** The fields that say what is installed; everything that runs, redirects or configures is left out. */
const KEPT_FIELDS = [
  "name",
  "version",
  ...DEPENDENCY_FIELDS,
  "peerDependenciesMeta",
  "dependenciesMeta",
  "bundleDependencies",
  "bundledDependencies",
  "workspaces",
  "overrides",
  "resolutions",
];

/** A package.json as the tools may see it. Throws ERR_INSTALL for specifiers that are refused. */
export function tameManifest(text: string, context: LockContext): Record<string, unknown> {
  const manifest = parseJson(text, { file: context.file });
  checkSpecifiers(manifest, String(manifest.name ?? context.file), context);
  const pnpmOverrides = record(manifest.pnpm).overrides;
  for (const value of stringsIn([manifest.overrides, manifest.resolutions, pnpmOverrides])) {
    if (!value.startsWith("$") && !isPlainSpecifier(value)) {
      throw refusal(`an override asks for "${redact(value).slice(0, 200)}"`, { file: context.file }, ONLY_REGISTRY);
    }
  }
  const kept = Object.entries(manifest).filter(([field]) => KEPT_FIELDS.includes(field));
  return {
    ...Object.fromEntries(kept),
    ...(pnpmOverrides === undefined ? {} : { pnpm: { overrides: pnpmOverrides } }),
  };
}

/** Names of what a package.json needs at run time. */
export function runtimeDependencies(text: string, position: Position): string[] {
  const manifest = parseJson(text, position);
  return [...Object.keys(record(manifest.dependencies)), ...Object.keys(record(manifest.optionalDependencies))];
}

function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

export function parseJson(text: string, position: Position): Record<string, unknown> {
  try {
    return record(JSON.parse(text.replace(/^\uFEFF/, "")));
  } catch {
    throw refusal(`"${position.file}" is no valid JSON`, position, "mend the file and commit it");
  }
}

/** Without credentials of URLs and tokens. */
export function redact(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, "$1")
    .replace(/((?:_authToken|_auth|_password|token|password)\s*[=:]\s*)\S+/gi, "$1…")
    .replace(/\b(?:npm|ghp|gho|glpat)[_-][A-Za-z0-9_-]{16,}/g, "…");
}

/** Folder of a local package relative to the repository, or undefined where it lies outside. */
export function localFolder(lockFolder: string, folder: string): string | undefined {
  const path = posix.normalize(posix.join(lockFolder === "" ? "." : lockFolder, folder));
  if (path === ".") return "";
  return path === ".." || path.startsWith("../") ? undefined : path.replace(/\/$/, "");
}
