// What the bindings of a preview would stand for in production: asked as a switch would, and nothing of it stays.

import { WrkstError } from "../errors.js";
import type { RoutedDatabase } from "../model.js";
import type { Db } from "./database.js";
import type { BindingRows, BindingsFound, BindingsWanted } from "./database-bindings.js";
import type { DatabaseRows } from "./databases.js";

export type WouldBind = { bindings: Record<string, string> } | Refused;

/** The function may not exist yet. */
export type WouldBindWanted = Omit<BindingsWanted, "function" | "isStrict" | "by"> & {
  function: Omit<BindingsWanted["function"], "id">;
};

/** What bindings stand for, null where for nothing. */
type Bound = Record<string, RoutedDatabase | null>;
type Refused = Extract<BindingsFound, { error: unknown }>;

export interface WouldBindDeps {
  db: Db;
  bindings: BindingRows;
  databases: Pick<DatabaseRows, "byId">;
}

class Undone extends Error {}

export function createWouldBind({
  db,
  bindings,
  databases,
}: WouldBindDeps): (wanted: WouldBindWanted[]) => WouldBind[] {
  /** Asks as a switch would, and takes all back that this has made. */
  function wouldBind(asked: WouldBindWanted[]): WouldBind[] {
    let bound: (Bound | Refused)[] = [];
    try {
      db.transaction(() => {
        const wanted = asked.map(({ function: { account, name }, ...one }) => {
          const id = bindings.functionId(account, name);
          return { ...one, function: { id, account, name }, isStrict: false };
        });
        const found = bindings.resolve(wanted);
        bound = wanted.map(({ function: { id }, version }, index) => {
          const answer = found[index]!;
          return "error" in answer ? answer : bindings.boundTo(id, version);
        });
        throw new Undone();
      }).immediate();
    } catch (error) {
      if (!(error instanceof Undone)) throw error;
    }
    return bound.map((answer) => (isRefused(answer) ? answer : { bindings: keysOf(answer) }));
  }

  /** What is not there once all was taken back would be new. */
  function keysOf(found: Bound): Record<string, string> {
    return Object.fromEntries(
      Object.entries(found).flatMap(([binding, database]) => {
        if (!database) return [];
        const isThere = databases.byId(database.id)?.removedAt === null;
        return [[binding, isThere ? database.id : `new:${database.name}`]];
      }),
    );
  }

  return wouldBind;
}

function isRefused(answer: Bound | Refused): answer is Refused {
  return answer.error instanceof WrkstError;
}
