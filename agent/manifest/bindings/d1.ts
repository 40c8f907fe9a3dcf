// `[[d1_databases]]`: names of databases by binding, not inherited by environments. Pure.

import type { D1Binding } from "../../model.js";
import { isTable, type Path } from "../document.js";
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
  return listOf(settings, notInherited(settings, "d1_databases")).map((setting) => readOne(settings, setting, names));
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
  const migrationsDir = member("migrations_dir");
  return {
    binding,
    ...(databaseName === undefined ? {} : { databaseName }),
    ...(databaseId === undefined ? {} : { databaseId }),
    ...(migrationsDir === undefined ? {} : { migrationsDir }),
  };
}
