// `[vars]`: strings and JSON values, not inherited by environments. Pure.

import type { Position } from "../../errors.js";
import type { Path, Table } from "../document.js";
import { isTable } from "../document.js";
import { fail, formatPath, notInherited, type Settings, standsAlone, tableOf, topLevel, warn } from "../settings.js";

interface Names {
  take(name: string, path: Path): void;
}

export function readVars(settings: Settings, names: Names): Table {
  const setting = notInherited(settings, "vars");
  const vars = tableOf(settings, setting);
  for (const [name, value] of Object.entries(vars)) {
    const path = [...setting!.path, name];
    if (name === "D1") {
      fail(settings, path, `var "D1" would hide the function's database, which "env.D1" always is`, {
        hint: "give the var another name",
      });
    }
    names.take(name, path);
    refuseNotJson(settings, value, path);
  }
  if (setting && settings.section) warnOfMissing(settings, vars);
  return vars;
}

/** Where each is set, for errors that show only later. */
export function positionsOfVars(settings: Settings): Record<string, Position> {
  const setting = standsAlone(settings, "vars");
  const vars = tableOf(settings, setting);
  return Object.fromEntries(
    Object.keys(vars).map((name) => [name, settings.document.positionOf([...setting!.path, name])]),
  );
}

/** TOML has values that JSON has not. */
function refuseNotJson(settings: Settings, value: unknown, path: Path): void {
  if (value instanceof Date) {
    fail(settings, path, `expected var "${formatPath(path)}" to be a JSON value, received a date`, {
      hint: "put the date into quotes",
    });
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    fail(settings, path, `expected var "${formatPath(path)}" to be a JSON value, received ${value}`);
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) refuseNotJson(settings, item, [...path, index]);
  } else if (isTable(value)) {
    for (const [key, item] of Object.entries(value)) refuseNotJson(settings, item, [...path, key]);
  }
}

function warnOfMissing(settings: Settings, vars: Table): void {
  const above = topLevel(settings, "vars")?.value;
  for (const name of isTable(above) ? Object.keys(above) : []) {
    if (Object.hasOwn(vars, name)) continue;
    const where = `env.${settings.environment}`;
    warn(settings, ["vars", name], `var "${name}" is set at the top level only, and "${where}" does not inherit it`, {
      hint: `add "${name}" to [${where}.vars]`,
    });
  }
}
