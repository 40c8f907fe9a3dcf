// Module rules as wrangler reads them: globs decide which imports become modules of their own. Pure.

import { WrkstError } from "../errors.js";
import type { ModuleKind, ModuleRule } from "../model.js";

const DEFAULT_RULES: ModuleRule[] = [
  { type: "Text", globs: ["**/*.txt", "**/*.html", "**/*.sql"], fallthrough: false },
  { type: "Data", globs: ["**/*.bin"], fallthrough: false },
  { type: "CompiledWasm", globs: ["**/*.wasm", "**/*.wasm?module"], fallthrough: false },
];

const KIND_OF: Record<ModuleRule["type"], ModuleKind> = {
  ESModule: "esm",
  CommonJS: "cjs",
  CompiledWasm: "wasm",
  Text: "text",
  Data: "data",
};

export interface Rule {
  type: ModuleRule["type"];
  kind: ModuleKind;
  /** An earlier rule of the same type ended the list for that type. A file that matches it is an error. */
  removed: boolean;
  /** For import specifiers: `*` also crosses `/`, as in wrangler. */
  imports: RegExp[];
  /** For paths of files: `*` stays within a name. */
  files: RegExp[];
}

/** Own rules first, then the defaults; after a rule without `fallthrough`, later ones of its type are removed. */
export function parseRules(own: ModuleRule[]): Rule[] {
  const complete = new Set<string>();
  return [...own, ...DEFAULT_RULES].map((rule) => {
    const removed = complete.has(rule.type);
    if (!rule.fallthrough) complete.add(rule.type);
    return {
      type: rule.type,
      kind: KIND_OF[rule.type],
      removed,
      imports: rule.globs.map((glob) => new RegExp(importPattern(glob))),
      files: rule.globs.map((glob) => new RegExp(filePattern(glob))),
    };
  });
}

export function isJavaScript(rule: Rule): boolean {
  return rule.type === "ESModule" || rule.type === "CommonJS";
}

/** The first rule that matches, by `imports` or `files`. Throws when only a removed one does. */
export function matchRule(rules: Rule[], path: string, by: "imports" | "files"): Rule | undefined {
  const matching = rules.filter((rule) => rule[by].some((pattern) => pattern.test(path)));
  const rule = matching.find(({ removed }) => !removed) ?? matching[0];
  if (!rule?.removed) return rule;
  throw new WrkstError("ERR_BUNDLE", `"${path}" matches a module rule of type "${rule.type}" that is never reached`, {
    hint: `add fallthrough = true to the earlier rule of type "${rule.type}"`,
  });
}

const escaped = (text: string) => text.replace(/[-/\\^$+?.()|[\]{}]/g, "\\$&");

function importPattern(glob: string): string {
  return `^${escaped(glob).replace(/\*+/g, ".*")}$`;
}

function filePattern(glob: string): string {
  const parts = glob.split("/").map((part) => (part === "**" ? undefined : escaped(part).replace(/\*+/g, "[^/]*")));
  const text = parts.map((part, index) => {
    const last = index === parts.length - 1;
    if (part === undefined) return last ? ".*" : "(?:[^/]*/)*";
    return last ? part : `${part}/`;
  });
  return `^${text.join("")}$`;
}
