// Functions that nothing but previews know: made with the first of them, forgotten with the last.

import type { Db } from "./database.js";
import type { BindingRows } from "./database-bindings.js";
import type { FunctionRows } from "./functions.js";

export interface PreviewFunctionsDeps {
  db: Db;
  newId: () => string;
  functions: FunctionRows;
  bindings: BindingRows;
}

export interface PreviewFunctions {
  /** The id of the function of that name. A function that was removed stays so: previews need no more than its id. */
  ensure(wanted: { account: string; name: string; folder: string }, at: number): string;
  /** Of these (null: it never was made) those that nothing else knows. */
  forgetUnused(ids: (string | null)[]): void;
}

export function createPreviewFunctions({ db, newId, functions, bindings }: PreviewFunctionsDeps): PreviewFunctions {
  /** Nothing but previews made it: no source declares it, nobody deployed, uploaded or named anything. */
  const isOfPreviews = db
    .prepare<[string], number>(
      `SELECT EXISTS (SELECT 1 FROM functions f WHERE f.id = ? AND f.source IS NULL AND f.latest IS NULL
         AND f.removed_at IS NULL AND f.declared IS NULL
         AND NOT EXISTS (SELECT 1 FROM preview_functions WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM preview_commits WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM deployments WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM versions WHERE function_id = f.id AND upload IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM holds WHERE function_id = f.id)
         AND NOT EXISTS (SELECT 1 FROM aliases WHERE function_id = f.id))`,
    )
    .pluck();

  function forgetUnused(ids: (string | null)[]): void {
    for (const functionId of ids) {
      if (functionId === null || isOfPreviews.get(functionId) === 0) continue;
      bindings.removeOf(functionId);
      functions.forget(functionId);
    }
  }

  function ensure({ account, name, folder }: Parameters<PreviewFunctions["ensure"]>[0], at: number): string {
    const owner = functions.owner(name);
    if (owner) return owner.id;
    const id = newId();
    functions.save({
      ...{ id, account, name, source: null, folder, state: "pending" as const },
      ...{ warnings: [], hosts: {}, latest: null, split: null },
      ...{ declared: null, withdrawn: false, revision: null, generation: 0 },
      ...{ createdAt: at, updatedAt: at, removedAt: null },
    });
    return id;
  }

  return { ensure, forgetUnused };
}
