// Which value of a wrangler file is in force: the environment's or the top level's, as wrangler decides it. Pure.

import { WrkstError } from "../errors.js";
import type { Warning } from "../model.js";
import { type Document, isTable, type Path, type Table } from "./document.js";

/** A value of the file and the path that it stands at. */
export interface Setting {
  value: unknown;
  path: Path;
}

export interface Settings {
  document: Document;
  warnings: Warning[];
  /** Name of the environment asked for. */
  environment: string | undefined;
  /** The table of the environment in force, when the file declares it. */
  section: Table | undefined;
}

/**
 * Settles the environment. One that the file does not declare: with other environments in the file it is an error; without
 * any, the top level applies in full (also what is not inherited otherwise), with a warning, and the name still gets the
 * environment's name as its end. This is what wrangler 4 does.
 */
export function createSettings(document: Document, environment: string | undefined): Settings {
  const settings: Settings = { document, warnings: [], environment: environment || undefined, section: undefined };
  if (!settings.environment) return settings;
  const environments = document.value.env;
  if (environments === undefined) {
    warn(settings, [], `environment "${environment}" is not declared in ${fileName(document)}: the top level applies`);
    return settings;
  }
  if (!isTable(environments)) fail(settings, ["env"], `expected "env" to be a table, received ${show(environments)}`);
  const section = Object.hasOwn(environments, settings.environment) ? environments[settings.environment] : undefined;
  if (section === undefined) {
    const known = Object.keys(environments).map((name) => `"${name}"`);
    fail(
      settings,
      ["env"],
      `environment "${environment}" is not declared: expected one of ${known.join(", ") || "none"}`,
      {
        hint: `add [env.${environment}] to ${fileName(document)}, empty if nothing differs from the top level`,
      },
    );
  }
  const path = ["env", settings.environment];
  if (!isTable(section)) fail(settings, path, `expected "${path.join(".")}" to be a table, received ${show(section)}`);
  return { ...settings, section };
}

/** A value of the top level, which environments cannot change. */
export function topLevel(settings: Settings, key: string): Setting | undefined {
  return own(settings.document.value, key, []);
}

/** The environment's value, or else the top level's. */
export function inherited(settings: Settings, key: string): Setting | undefined {
  return sectional(settings, key) ?? topLevel(settings, key);
}

/** The value of the environment alone: vars, define and bindings are not inherited. */
export function notInherited(settings: Settings, key: string): Setting | undefined {
  const setting = standsAlone(settings, key);
  if (settings.section && !setting && settings.document.value[key] !== undefined) {
    const where = `env.${settings.environment}`;
    warn(settings, [key], `"${key}" is set at the top level only, and "${where}" does not inherit it`, {
      hint: `add "${key}" to [${where}]`,
    });
  }
  return setting;
}

/** As `notInherited`, saying nothing about what is missing. */
export function standsAlone(settings: Settings, key: string): Setting | undefined {
  return settings.section ? sectional(settings, key) : topLevel(settings, key);
}

function sectional(settings: Settings, key: string): Setting | undefined {
  return settings.section && own(settings.section, key, ["env", settings.environment!]);
}

function own(table: Table, key: string, path: Path): Setting | undefined {
  return Object.hasOwn(table, key) && table[key] !== undefined
    ? { value: table[key], path: [...path, key] }
    : undefined;
}

export function stringOf(settings: Settings, setting: Setting | undefined): string | undefined {
  if (!setting) return undefined;
  if (typeof setting.value === "string") return setting.value;
  const hint = setting.value instanceof Date ? "put the date into quotes" : undefined;
  return failType(settings, setting, "a string", hint);
}

export function booleanOf(settings: Settings, setting: Setting | undefined): boolean | undefined {
  if (!setting || typeof setting.value === "boolean") return setting?.value as boolean | undefined;
  return failType(settings, setting, "a boolean");
}

export function tableOf(settings: Settings, setting: Setting | undefined): Table {
  if (!setting) return {};
  return isTable(setting.value) ? setting.value : failType(settings, setting, "a table");
}

export function listOf(settings: Settings, setting: Setting | undefined): Setting[] {
  if (!setting) return [];
  if (!Array.isArray(setting.value)) return failType(settings, setting, "an array");
  return setting.value.map((value, index) => ({ value, path: [...setting.path, index] }));
}

/** The elements of an array of strings. */
export function stringsOf(settings: Settings, setting: Setting | undefined): string[] {
  return listOf(settings, setting).map((element) => stringOf(settings, element)!);
}

/** A member of a table that itself stands at a path. */
export function memberOf(setting: Setting | undefined, key: string): Setting | undefined {
  return setting && isTable(setting.value) ? own(setting.value, key, setting.path) : undefined;
}

export function fail(
  settings: Settings,
  path: Path,
  message: string,
  { hint }: { hint?: string | undefined } = {},
): never {
  throw new WrkstError("ERR_MANIFEST", message, { hint, position: settings.document.positionOf(path) });
}

export function warn(settings: Settings, path: Path, message: string, { hint }: { hint?: string } = {}): void {
  const position = settings.document.positionOf(path);
  settings.warnings.push({ message: hint ? `${message}; ${hint}` : message, position });
}

function failType(settings: Settings, setting: Setting, expected: string, hint?: string): never {
  const message = `expected "${formatPath(setting.path)}" to be ${expected}, received ${show(setting.value)}`;
  return fail(settings, setting.path, message, { hint });
}

/** `env.production.rules[0].globs`. */
export function formatPath(path: Path): string {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : index ? `.${part}` : part)).join("");
}

/** A value as errors show it: on one line, not longer than a line. */
export function show(value: unknown): string {
  if (value instanceof Date) return "a date";
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "nothing");
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

export function fileName(document: Document): string {
  return document.file.slice(document.file.lastIndexOf("/") + 1);
}
