// Files that are uploaded beside the entry by rule (no_bundle, find_additional_modules), without being imported first.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../errors.js";
import type { BundleModule } from "../model.js";
import type { BundleLimits } from "./limits.js";
import { formatBytes } from "./limits.js";
import { matchRule, type Rule } from "./rules.js";

export interface AdditionalModule extends BundleModule {
  /** Absolute path. */
  file: string;
}

const SKIPPED_FOLDERS = new Set(["node_modules", ".git", ".wrangler"]);
const WRANGLER_FILES = new Set(["wrangler.toml", "wrangler.json", "wrangler.jsonc"]);

/**
 * Every file below `base` that a rule matches, the entry left out; names are relative to `base`. Links are not followed.
 * Throws ERR_BUNDLE_LIMIT when there are more, or larger ones, than a bundle may have.
 */
export async function findAdditionalModules(
  { base, entry, rules }: { base: string; entry: string; rules: Rule[] },
  limits: BundleLimits,
): Promise<AdditionalModule[]> {
  const modules: AdditionalModule[] = [];
  let bytes = 0;
  for await (const name of filesBelow(base, "")) {
    const file = join(base, name);
    const rule = file === entry ? undefined : matchRule(rules, name, "files");
    if (rule === undefined) continue;
    bytes += (await stat(file)).size;
    if (bytes > limits.outputBytes || modules.length >= limits.modules) throw tooMany(limits);
    modules.push({ name, kind: rule.kind, bytes: await readFile(file), file });
  }
  return modules;
}

export function tooMany(limits: BundleLimits): WrkstError {
  const most = `${formatBytes(limits.outputBytes)} in ${limits.modules} modules`;
  return new WrkstError("ERR_BUNDLE_LIMIT", `the bundle is too large: expected at most ${most}`, {
    hint: "leave out what is not needed, or load large files over the network when they are asked for",
  });
}

async function* filesBelow(base: string, folder: string): AsyncGenerator<string> {
  const entries = await readdir(join(base, folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) yield* filesBelow(base, path);
    if (entry.isFile() && !WRANGLER_FILES.has(entry.name)) yield path;
  }
}
