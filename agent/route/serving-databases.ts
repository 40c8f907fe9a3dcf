// Names the databases that the version which serves has, and why one of them does not answer. Pure.

import type { BoundDatabase, RoutedFunction } from "../model.js";
import { boundOf, databasesOf } from "./databases.js";

/** By binding; empty where nothing serves. */
export function servingDatabases(function_: Pick<RoutedFunction, "database" | "latest" | "versions">): BoundDatabase[] {
  const version = function_.versions.find(({ id }) => id === function_.latest);
  if (!version) return [];
  const objects = databasesOf(version, function_, true);
  return Object.entries(boundOf(version, function_))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([binding, database]) => {
      const object = objects[binding];
      const problem = typeof object === "object" ? { problem: object.refused } : {};
      return database ? [{ binding, id: database.id, name: database.name, ...problem }] : [];
    });
}
