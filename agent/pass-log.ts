// One log line for a pass and one for each function that failed or changed. Decides the wording only.
import { formatError } from "./errors.js";
import type { Log } from "./log.js";
import type { PassReport } from "./model.js";
import type { PassRequest, PassRun } from "./reconcile/loop.js";
import { countsOf, formatDuration } from "./reconcile/report.js";

/** The pass, with a line in the log for what takes long. */
export function logProgress(log: Log, pass: PassRun): PassRun {
  return {
    ...pass,
    observe(progress) {
      if (progress.kind === "installing") log.info({ folder: progress.folder }, "installing dependencies");
      if (progress.kind === "building") log.info(`built ${progress.done} of ${progress.total}`);
      pass.observe(progress);
    },
  };
}

export function logPass(log: Log, report: PassReport, { cause, author }: PassRequest): void {
  const fields = { source: report.source, revision: report.to ?? undefined, cause, author };
  if (report.result === "superseded") return void log.debug(fields, report.error?.message ?? "superseded");
  if (report.error) {
    const { code, message, hint } = report.error;
    return void log.warn({ ...fields, code, hint }, `nothing switched: ${message}`);
  }
  for (const { name, error, result, url } of report.functions) {
    if (error)
      log.warn({ function: name, code: error.code, hint: error.hint }, `"${name}" failed: ${formatError(error)}`);
    else if (result !== "unchanged") log.info({ function: name, url }, `"${name}" ${result}${url ? ` ${url}` : ""}`);
  }
  const commit = report.to?.split(":")[1]?.slice(0, 7);
  const line = `${commit}: ${countsOf(report.functions)} in ${formatDuration(report.milliseconds)}`;
  if (report.functions.length > 0) log.info({ ...fields, phases: roundedPhases(report) }, line);
  else log.debug(fields, "nothing new");
}

/** Milliseconds with one decimal. */
function roundedPhases({ phases }: PassReport): Record<string, number> {
  return Object.fromEntries(
    Object.entries(phases).map(([phase, milliseconds]) => [phase, Math.round(milliseconds * 10) / 10]),
  );
}
