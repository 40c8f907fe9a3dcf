// All functions of a revision switch, or none: what one failure means for the others of a source that wants it so. Pure.
import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import type { FunctionRecord } from "../store/index.js";
import type { StepResult } from "./pass.js";

/** Whether the revision is kept back: some function of it failed. */
export function isKeptBack(results: StepResult[]): boolean {
  return results.some(({ kind }) => kind === "fail");
}

/** Where some function failed nothing else moves either; what serves already is no move. */
export function keptTogether(results: StepResult[], records: ReadonlyMap<string, FunctionRecord>): StepResult[] {
  const failed = results.flatMap(({ kind, step }) => (kind === "fail" ? [step.declaration.name] : []));
  if (!failed.length) return results;
  const error = keptBack(failed);
  return results.map((result): StepResult => {
    const record = records.get(result.step.declaration.name);
    if (result.kind === "fail" && result.pins) return { kind: "fail", step: result.step, error: result.error };
    const serves = record?.removedAt === null && result.kind === "switch" && record.latest === result.version.id;
    if (result.kind !== "switch" || (serves && !result.pins)) return result;
    return { kind: "fail", step: result.step, error: withMigrations(error, result) };
  });
}

const NAMED = 3;

function keptBack(failed: string[]): ErrorReport {
  const named = failed.slice(0, NAMED).map((name) => `"${name}"`);
  const more = failed.length > NAMED ? ` and ${failed.length - NAMED} more` : "";
  const message = `kept back: all functions of the source switch together, and ${named.join(", ")}${more} failed`;
  return reportOf(new WrkstError("ERR_CONFLICT", message, { hint: "mend what failed, and push again" }));
}

function withMigrations(error: ErrorReport, { migrated = [] }: Extract<StepResult, { kind: "switch" }>): ErrorReport {
  if (!migrated.length) return error;
  const parts = migrated.map(({ database, applied }) => `"${database.name}" has ${applied.join(", ")}`);
  return { ...error, message: `${error.message}; its migrations are applied: ${parts.join(", ")}` };
}
