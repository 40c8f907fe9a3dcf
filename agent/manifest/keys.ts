// Which keys of a wrangler file mean something here, and what is said of the others. Pure.

import { BINDING_KEYS } from "./bindings/kinds.js";
import { isTable, type Path } from "./document.js";
import { fail, formatPath, inherited, type Settings, warn } from "./settings.js";

/** Read by manifest.ts, at the top level and in environments. */
const READ = [
  "name",
  "main",
  "compatibility_date",
  "compatibility_flags",
  "rules",
  "define",
  "no_bundle",
  "find_additional_modules",
  "base_dir",
  "minify",
  "keep_names",
  "tsconfig",
  "jsx_factory",
  "jsx_fragment",
  "preserve_file_names",
  "route",
  "routes",
  "workers_dev",
  "preview_urls",
  "observability",
  "build",
  "node_compat",
  "wrkst",
];
const READ_AT_TOP = ["env", "alias", "legacy_env", "pages_build_output_dir"];

/** Say nothing about a deployment here: whose account it is on Cloudflare, and what an editor wants to know. */
const SILENT = ["account_id", "keep_vars", "upload_source_maps"];
const SILENT_AT_TOP = ["$schema"];

/** Known to wrangler, harmless to leave out. */
const WITHOUT_EFFECT = [
  "limits",
  "placement",
  "logpush",
  "usage_model",
  "migrations",
  "secrets",
  "cache",
  "compliance_region",
  "first_party_worker",
  "python_modules",
  "previews",
];
const WITHOUT_EFFECT_AT_TOP = ["dev", "send_metrics"];

const KNOWN = [...READ, ...SILENT, ...WITHOUT_EFFECT, ...BINDING_KEYS];
const KNOWN_AT_TOP = [...KNOWN, ...READ_AT_TOP, ...SILENT_AT_TOP, ...WITHOUT_EFFECT_AT_TOP];

/** Warns of keys that do nothing here and of keys that nobody knows. */
export function warnOfKeys(settings: Settings): void {
  for (const key of WITHOUT_EFFECT) warnWithoutEffect(settings, inherited(settings, key)?.path);
  for (const key of WITHOUT_EFFECT_AT_TOP) {
    if (Object.hasOwn(settings.document.value, key)) warnWithoutEffect(settings, [key]);
  }
  for (const key of Object.keys(settings.document.value)) {
    if (!KNOWN_AT_TOP.includes(key)) warnUnknown(settings, [key], KNOWN_AT_TOP);
  }
  for (const key of Object.keys(settings.section ?? {})) {
    if (!KNOWN.includes(key)) warnUnknown(settings, ["env", settings.environment!, key], KNOWN);
  }
}

/** Warns of keys of a table that are not among the known ones. */
export function warnOfMembers(settings: Settings, setting: { value: unknown; path: Path }, known: string[]): void {
  if (!isTable(setting.value)) return;
  for (const key of Object.keys(setting.value)) {
    if (!known.includes(key)) warnUnknown(settings, [...setting.path, key], known);
  }
}

/** Keys of ours: one that nobody knows is a mistake. */
export function refuseUnknownMembers(
  settings: Settings,
  setting: { value: unknown; path: Path },
  known: readonly string[],
): void {
  for (const key of Object.keys(isTable(setting.value) ? setting.value : {})) {
    if (known.includes(key)) continue;
    const nearest = nearestName(key, known);
    const path = [...setting.path, key];
    fail(settings, path, `unknown key "${formatPath(path)}"${nearest ? `: did you mean "${nearest}"?` : ""}`, {
      hint: `the keys of [${formatPath(setting.path)}] are ${known.join(", ")}`,
    });
  }
}

function warnWithoutEffect(settings: Settings, path: Path | undefined): void {
  if (path) warn(settings, path, `key "${formatPath(path)}" has no effect here`);
}

function warnUnknown(settings: Settings, path: Path, known: string[]): void {
  const key = String(path.at(-1));
  const nearest = nearestName(key, known);
  const hint = KNOWN_AT_TOP.includes(key) ? "it belongs at the top level" : nearest && `did you mean "${nearest}"?`;
  warn(settings, path, `unknown key "${formatPath(path)}"`, hint ? { hint } : {});
}

/** The name that a typo most likely stood for: fewer than three edits, and fewer than half of it. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const limit = Math.min(3, Math.ceil(name.length / 2));
  const ranked = known
    .filter((candidate) => Math.abs(candidate.length - name.length) < limit)
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate) }))
    .filter(({ distance }) => distance < limit)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

/** Levenshtein. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitute = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitute));
    }
    row = next;
  }
  return row[to.length]!;
}
