// What a pass says to the person who pushed: lines of plain text, one thing each. Pure.
import { formatError } from "../errors.js";
import type { FunctionOutcome, PassProgress, PassReport, Revision, Signer } from "../model.js";
import { describeHeld, describePin } from "./outcome.js";

/** Lines for one step of a pass, without line ends. Functions that did not change are counted, not listed. */
export function linesOf(progress: PassProgress): string[] {
  switch (progress.kind) {
    case "planned":
      return [
        headOf(progress.revision),
        ...(progress.signedBy ? [`  signed by   ${describeSigner(progress.signedBy)}`] : []),
      ];
    case "refused":
      return [headOf(progress.revision)];
    case "installing":
      return [`  installing  ${progress.folder || "."} (dependencies, once per lockfile)`];
    case "building":
      return [`  building    ${progress.done} of ${progress.total}`];
    case "outcome":
      return outcomeLines(progress.outcome);
    case "done":
      return doneLines(progress.report);
  }
}

function headOf({ branch, commit }: Revision): string {
  return `wrkst: ${branch} at ${commit.slice(0, 7)}`;
}

/** `alice@example.com (SSH key SHA256:…)`. */
export function describeSigner({ kind, name, fingerprint }: Signer): string {
  return `${name} (${kind === "ssh" ? "SSH" : "OpenPGP"} key ${fingerprint})`;
}

function outcomeLines(outcome: FunctionOutcome): string[] {
  const lines: string[] = [];
  if (outcome.error) {
    lines.push(row("failed", outcome.name, formatError(outcome.error)));
    if (outcome.error.hint) lines.push(`${" ".repeat(14)}hint: ${outcome.error.hint}`);
    if (outcome.version) lines.push(`${" ".repeat(14)}version ${outcome.version.slice(0, 8)} keeps serving`);
  } else if (outcome.result === "held") {
    lines.push(row("held", outcome.name, describeHeld(outcome)));
    lines.push(`${" ".repeat(14)}hint: ${releaseHint(outcome)}`);
  } else if (outcome.result !== "unchanged") {
    lines.push(row(outcome.result, outcome.name, outcome.result === "removed" ? "" : (outcome.url ?? "")));
  }
  if (outcome.share !== undefined) {
    lines.push(`${" ".repeat(14)}on trial with ${outcome.share} % of the traffic; see: wrkst why ${outcome.name}`);
  }
  for (const pin of outcome.pins ?? []) lines.push(row("pinned", outcome.name, describePin(pin)));
  for (const { id, name } of outcome.databases ?? []) {
    lines.push(row("database", outcome.name, `created empty database "${name}" (id ${id})`));
  }
  for (const { database, applied, snapshot } of outcome.migrations ?? []) {
    lines.push(row("migrated", outcome.name, `"${database}": ${applied.join(", ")}`));
    if (snapshot) lines.push(`${" ".repeat(14)}snapshot before: ${snapshot}`);
  }
  for (const warning of outcome.warnings) lines.push(row("warning", outcome.name, formatWarning(warning)));
  return lines;
}

function releaseHint({ name, hold }: FunctionOutcome): string {
  if (hold?.declared) return "take the pin out of the file, and push";
  const ends = hold?.kind === "rollback" ? "; it ends with the next other version" : "";
  return `release it with: wrkst ${hold?.kind === "suspension" ? "resume" : "unpin"} ${name}${ends}`;
}

function formatWarning(warning: FunctionOutcome["warnings"][number]): string {
  return warning.position
    ? formatError({ code: "ERR_MANIFEST", message: warning.message, position: warning.position })
    : warning.message;
}

function row(word: string, name: string, rest: string): string {
  return `  ${word.padEnd(10)}  ${name.padEnd(20)}  ${rest}`.trimEnd();
}

function doneLines(report: PassReport): string[] {
  if (report.result === "superseded") return [`wrkst: ${report.error?.message ?? "a newer revision took over"}`];
  if (report.error) {
    const hint = report.error.hint ? [`       hint: ${report.error.hint}`] : [];
    // The repository has the commit already when its signature is looked at.
    const verdict = report.error.code === "ERR_GIT_UNVERIFIED" ? "kept, not deployed" : "nothing switched";
    return [`wrkst: ${verdict}: ${formatError(report.error)}`, ...hint];
  }
  const verdict = report.functions.some((outcome) => outcome.error) ? "done with errors" : "live";
  return [`wrkst: ${countsOf(report.functions)}; ${verdict} in ${formatDuration(report.milliseconds)}`];
}

/** `1 updated, 99 unchanged`. */
export function countsOf(outcomes: FunctionOutcome[]): string {
  const words = ["created", "updated", "restored", "removed", "held", "failed", "unchanged"] as const;
  const counts = words
    .map((word) => ({ word, count: outcomes.filter((outcome) => outcome.result === word).length }))
    .filter(({ count }) => count > 0)
    .map(({ word, count }) => `${count} ${word}`);
  const migrated = outcomes.filter(({ migrations }) => migrations).length;
  if (migrated) counts.push(`${migrated} migrated`);
  return counts.join(", ") || "no functions";
}

export function formatDuration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
