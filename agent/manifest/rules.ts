// Module rules: which files are modules of which kind, as wrangler orders them. Pure.

import type { ModuleRule } from "../model.js";
import { isTable } from "./document.js";
import { warnOfMembers } from "./keys.js";
import {
  booleanOf,
  fail,
  formatPath,
  inherited,
  listOf,
  memberOf,
  type Setting,
  type Settings,
  show,
  stringsOf,
} from "./settings.js";

const DEFAULTS: readonly ModuleRule[] = [
  { type: "Text", globs: ["**/*.txt", "**/*.html", "**/*.sql"], fallthrough: false },
  { type: "Data", globs: ["**/*.bin"], fallthrough: false },
  { type: "CompiledWasm", globs: ["**/*.wasm", "**/*.wasm?module"], fallthrough: false },
];
const TYPES = ["ESModule", "CommonJS", "CompiledWasm", "Text", "Data"] as const;

/**
 * The file's rules, then the defaults. A rule without `fallthrough = true` closes its type: later rules of that type,
 * the default one included, are left out.
 */
export function readRules(settings: Settings): ModuleRule[] {
  const closed = new Set<string>();
  const written = listOf(settings, inherited(settings, "rules")).map((setting) => readRule(settings, setting));
  return [...written, ...DEFAULTS].filter((rule) => {
    if (closed.has(rule.type)) return false;
    if (!rule.fallthrough) closed.add(rule.type);
    return true;
  });
}

function readRule(settings: Settings, setting: Setting): ModuleRule {
  if (!isTable(setting.value)) {
    fail(
      settings,
      setting.path,
      `expected "${formatPath(setting.path)}" to be a table, received ${show(setting.value)}`,
    );
  }
  warnOfMembers(settings, setting, ["type", "globs", "fallthrough"]);
  const type = TYPES.find((known) => known === memberOf(setting, "type")?.value);
  if (!type) {
    const path = [...setting.path, "type"];
    const known = TYPES.map((name) => `"${name}"`).join(", ");
    fail(settings, path, `expected "${formatPath(path)}" to be one of ${known}, received ${show(setting.value.type)}`);
  }
  const globs = memberOf(setting, "globs");
  if (!globs)
    fail(settings, setting.path, `expected "${formatPath(setting.path)}" to have "globs", an array of strings`);
  return {
    type,
    globs: stringsOf(settings, globs),
    fallthrough: booleanOf(settings, memberOf(setting, "fallthrough")) ?? false,
  };
}
