// `[[d1_databases]]`: names of databases by binding, not inherited by environments. Pure.

import { posix } from "node:path";
import type { Position } from "../../errors.js";
import { type D1Binding, isDatabaseName } from "../../model.js";
import { isTable, type Path, type Table } from "../document.js";
import { warnOfMembers } from "../keys.js";
import {
  fail,
  formatPath,
  listOf,
  memberOf,
  notInherited,
  type Setting,
  type Settings,
  show,
  standsAlone,
  stringOf,
} from "../settings.js";

interface Names {
  take(name: string, path: Path): void;
}

const BINDING = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MEMBERS = [
  "binding",
  "database_id",
  "database_name",
  "migrations_dir",
  "migrations_table",
  "preview_database_id",
  "database_internal_env",
  "remote",
];

export function readD1Databases(settings: Settings, names: Names): D1Binding[] {
  const declared = listOf(settings, notInherited(settings, "d1_databases"));
  const bindings = declared.map((setting) => readOne(settings, setting, names));
  refuseSharedFolders(settings, bindings, declared);
  return bindings;
}

/** Where each binding is declared, for errors that show only later. */
export function positionsOfD1(settings: Settings): Record<string, Position> {
  const declared = listOf(settings, standsAlone(settings, "d1_databases"));
  return Object.fromEntries(
    declared.map(({ value, path }) => [(value as Table).binding, settings.document.positionOf(path)]),
  );
}

/** Which of two databases a migration of one folder would be for, nobody could say. */
function refuseSharedFolders(settings: Settings, bindings: D1Binding[], declared: Setting[]): void {
  const seen = new Map<string, number>();
  for (const [index, { binding, migrationsDir }] of bindings.entries()) {
    if (migrationsDir === undefined) continue;
    const folder = posix.normalize(migrationsDir).replace(/\/$/, "");
    const earlier = seen.get(folder);
    seen.set(folder, index);
    if (earlier === undefined) continue;
    const path = [...declared[index]!.path, "migrations_dir"];
    const { line } = settings.document.positionOf([...declared[earlier]!.path, "migrations_dir"]);
    const other = `"${bindings[earlier]!.binding}"${line === undefined ? "" : ` in line ${line}`}`;
    fail(settings, path, `the migrations of "${binding}" are those of ${other}: "${migrationsDir}"`, {
      hint: "give each database a folder of its own",
    });
  }
}

function readOne(settings: Settings, setting: Setting, names: Names): D1Binding {
  if (!isTable(setting.value)) {
    fail(
      settings,
      setting.path,
      `expected "${formatPath(setting.path)}" to be a table, received ${show(setting.value)}`,
    );
  }
  warnOfMembers(settings, setting, MEMBERS);
  const member = (key: string) => stringOf(settings, memberOf(setting, key));
  const binding = member("binding");
  const path = [...setting.path, "binding"];
  if (binding === undefined || !BINDING.test(binding)) {
    fail(settings, path, `expected "${formatPath(path)}" to be a name like "DB", received ${show(binding)}`);
  }
  names.take(binding, path);
  const databaseName = member("database_name");
  const databaseId = member("database_id");
  if (databaseName !== undefined && !isDatabaseName(databaseName)) {
    fail(
      settings,
      [...setting.path, "database_name"],
      `expected "database_name" to be letters, digits, "-" and "_", at most 64, received ${show(databaseName)}`,
    );
  }
  const migrationsDir = member("migrations_dir");
  const migrationsTable = member("migrations_table");
  return {
    binding,
    ...(databaseName === undefined ? {} : { databaseName }),
    ...(databaseId === undefined ? {} : { databaseId }),
    ...(migrationsDir === undefined ? {} : { migrationsDir }),
    ...(migrationsTable === undefined ? {} : { migrationsTable }),
  };
}
