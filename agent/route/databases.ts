// Decides which object stands behind each database binding of a version, or why there is none. Pure.

import { objectName } from "../../runtime/d1/wire.js";
import type { RefusedDatabase, VersionSpec } from "../../runtime/wire.js";
import type { RoutedDatabase, RoutedFunction, RoutedVersion } from "../model.js";

const OWN_BINDING = "D1";

/** What never served must not touch what production has: it gets copies of its own, or nothing. */
export function databasesOf(
  version: Pick<RoutedVersion, "databases" | "copies">,
  function_: Pick<RoutedFunction, "database">,
  hasServed: boolean,
): NonNullable<VersionSpec["databases"]> {
  const bound = boundOf(version, function_);
  const copies = hasServed ? undefined : version.copies;
  return Object.fromEntries(Object.entries(bound).map(([binding, database]) => [binding, objectOf(database, copies)]));
}

/** Of a preview: the objects of its copies. */
export function previewDatabases(databases: Record<string, string | null>): Record<string, string | RefusedDatabase> {
  return Object.fromEntries(
    Object.entries(databases).map(([binding, object]) => [
      binding,
      object ?? refused("this preview has no copy of the database yet"),
    ]),
  );
}

/** By binding; null: none was found or made yet. */
export function boundOf(
  { databases }: Pick<RoutedVersion, "databases">,
  { database }: Pick<RoutedFunction, "database">,
): Record<string, RoutedDatabase | null> {
  return { [OWN_BINDING]: database, ...databases };
}

function objectOf(
  database: RoutedDatabase | null,
  copies: Record<string, string> | undefined,
): string | RefusedDatabase {
  if (!database) return refused("the binding has no database yet: deploy the function again");
  const { id, name, epoch, isRemoved, isOpen } = database;
  if (isRemoved) return refused(`the database "${name}" was removed: bring it back, or deploy the function again`);
  if (!isOpen) return refused(`the database "${name}" is not shared with this function any more`);
  if (!copies) return objectName(id, epoch);
  return Object.hasOwn(copies, id)
    ? copies[id]!
    : refused(`this version never served, and has no copy of the database "${name}"`);
}

function refused(sentence: string): RefusedDatabase {
  return { refused: sentence };
}
