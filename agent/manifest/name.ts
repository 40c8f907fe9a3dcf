// The name of a function: what the file says, or what can be told when the file cannot be read. Pure.

import { parse as parseJson } from "jsonc-parser";
import { isFunctionName } from "../model.js";
import { isTable } from "./document.js";
import { fail, fileName, type Setting, type Settings, show, stringOf, topLevel } from "./settings.js";

const RULE = "lower-case letters, digits and single hyphens, at most 53 characters";

/** The environment's `name`, or the top level's with `-<environment>` at its end. Throws ERR_MANIFEST. */
export function readName(settings: Settings): string {
  const setting = ownName(settings) ?? topLevel(settings, "name");
  const written = stringOf(settings, setting);
  if (!written) {
    fail(settings, setting?.path ?? [], `function has no name: expected "name" in ${fileName(settings.document)}`, {
      hint: `add name = "…": ${RULE}`,
    });
  }
  const isOwn = !settings.environment || ownName(settings);
  const name = isOwn ? written : `${written}-${settings.environment}`;
  if (!isFunctionName(name)) {
    const received = name === written ? show(name) : `${show(name)} (with the environment's name at its end)`;
    fail(settings, setting!.path, `expected "name" to be ${RULE}, received ${received}`);
  }
  return name;
}

function ownName(settings: Settings): Setting | undefined {
  const value = settings.section?.name;
  return value === undefined ? undefined : { value, path: ["env", settings.environment!, "name"] };
}

interface Clues {
  /** Undefined when the file could not be read. */
  text: string | undefined;
  file: string;
  /** Of the function, relative to the source's root. */
  folder: string;
  environment: string | undefined;
}

/** The best guess for a file that is wrong: the name it seems to say if that is a valid one, otherwise the folder's. */
export function guessName({ text, file, folder, environment }: Clues): string {
  const names =
    text === undefined ? {} : file.endsWith(".toml") ? seenInToml(text, environment) : seenInJson(text, environment);
  const written = names.own ?? (names.top !== undefined && environment ? `${names.top}-${environment}` : names.top);
  if (written !== undefined && isFunctionName(written)) return written;
  return folder.slice(folder.lastIndexOf("/") + 1) || "root";
}

interface Seen {
  top?: string | undefined;
  own?: string | undefined;
}

/** Line by line, so that what is wrong elsewhere does not matter. */
function seenInToml(text: string, environment: string | undefined): Seen {
  const seen: Seen = {};
  let table = "";
  for (const line of text.split("\n")) {
    const header = /^\s*\[+\s*([^\]]*?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) table = header.replaceAll(/["'\s]/g, "");
    const name = /^\s*name\s*=\s*["']([^"']*)["']/.exec(line)?.[1];
    if (name === undefined) continue;
    if (table === "") seen.top ??= name;
    if (table === `env.${environment}`) seen.own ??= name;
  }
  return seen;
}

/** The parser carries on after faults. */
function seenInJson(text: string, environment: string | undefined): Seen {
  try {
    const value: unknown = parseJson(text);
    if (!isTable(value)) return {};
    const section = environment && isTable(value.env) ? value.env[environment] : undefined;
    return { top: stringIn(value, "name"), own: isTable(section) ? stringIn(section, "name") : undefined };
  } catch {
    // Nested so deep that the parser's stack ends.
    return {};
  }
}

function stringIn(table: Record<string, unknown>, key: string): string | undefined {
  return typeof table[key] === "string" ? table[key] : undefined;
}
