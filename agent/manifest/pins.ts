// `[wrkst] pin`: aliases that the repository itself holds at a tag or a commit. Pure; whether the reference exists is for others.

import { type DeclaredPin, isAliasName } from "../model.js";
import { fail, formatPath, memberOf, type Setting, type Settings, show, stringOf, tableOf } from "./settings.js";

/** Each alias is a reference that every pass leads to its commit. */
const MAX_PINS = 20;
/** As git checks names, but for what only the name's neighbours tell. */
const REFERENCE = /^(?![-/.])(?!.*(?:\.\.|@\{|\/\/|\/\.))[^\s~^:?*[\\\x00-\x1f\x7f]{1,200}(?<![/.]|\.lock)$/;

/** Sorted by alias. @throws WrkstError ERR_MANIFEST with the position of the alias */
export function readPins(settings: Settings, setting: Setting | undefined): DeclaredPin[] {
  const aliases = Object.keys(tableOf(settings, setting)).sort();
  if (aliases.length > MAX_PINS) {
    fail(settings, setting!.path, `expected at most ${MAX_PINS} pins, received ${aliases.length}`);
  }
  return aliases.map((alias) => readPin(settings, alias, memberOf(setting, alias)!));
}

function readPin(settings: Settings, alias: string, setting: Setting): DeclaredPin {
  if (alias !== "latest" && !isAliasName(alias)) {
    fail(settings, setting.path, `expected "${formatPath(setting.path)}" to name an alias, received ${show(alias)}`, {
      hint: "lower-case letters, digits and single hyphens, nothing that looks like a commit",
    });
  }
  const ref = stringOf(settings, setting)!;
  if (ref.startsWith("refs/heads/")) {
    fail(settings, setting.path, `expected a tag or a commit, received the branch ${show(ref)}`, { hint: NO_BRANCH });
  }
  if (!REFERENCE.test(ref) || ref === "HEAD" || ref.startsWith("refs/")) {
    const message = `expected "${formatPath(setting.path)}" to be a tag or a commit of 7 to 40 digits, received ${show(ref)}`;
    fail(settings, setting.path, message, { hint: 'write the name of the tag alone, such as "v1.2.0"' });
  }
  return { alias, ref, position: settings.document.positionOf(setting.path) };
}

/** Why a branch is no place to be held at. */
export const NO_BRANCH = "a branch moves, so that nothing would be held: name a tag or a commit";
