// What is told of previews: to the API, and to the person who pushed. Pure.
import { formatError } from "../../errors.js";
import type { BranchPreview } from "../../model.js";
import type { PreviewRecord } from "../../store/index.js";

export type UrlOf = (name: string, label?: string) => string;

/** Characters of one part of a host. */
const LONGEST_PART = 63;

/** One certificate covers the form with one label, which is too long for a few names. */
export function previewUrl(urlOf: UrlOf, name: string, label: string): string {
  return label.length + 2 + name.length > LONGEST_PART ? urlOf(`${label}.${name}`) : urlOf(name, label);
}

/** `undefined` for what is no branch's. */
export function branchPreview(record: PreviewRecord, urlOf: UrlOf): BranchPreview | undefined {
  const { branch, commit, label, functions, error, warnings, updatedAt } = record;
  if (branch === null) return undefined;
  return {
    ...{ branch, commit, alias: label, updatedAt },
    functions: functions.map(({ name, version, error: failure }) => ({
      name,
      ...(version === null ? {} : { version, url: previewUrl(urlOf, name, label) }),
      ...(failure ? { error: failure } : {}),
    })),
    ...(error ? { error } : {}),
    ...(warnings.length ? { warnings } : {}),
  };
}

/** Lines for the pusher of a branch, without line ends. */
export function linesOfPreview(branch: string, preview: BranchPreview | undefined): string[] {
  if (!preview) return [`wrkst: no preview of ${branch}`];
  if (preview.error) {
    const hint = preview.error.hint ? [`       hint: ${preview.error.hint}`] : [];
    return [`wrkst: no preview of ${branch}: ${formatError(preview.error)}`, ...hint];
  }
  const { commit, functions, warnings = [] } = preview;
  const lines = functions.flatMap(({ name, url, error }) => {
    if (!error) return [row("preview", name, url ?? "")];
    const hint = error.hint ? [`${" ".repeat(14)}hint: ${error.hint}`] : [];
    return [row("failed", name, formatError(error)), ...hint];
  });
  const none = functions.length ? [] : ["  nothing differs from production"];
  const notes = warnings.map(({ message }) => `  note: ${message}`);
  return [`wrkst: preview of ${branch} at ${commit.slice(0, 7)}`, ...lines, ...none, ...notes];
}

function row(word: string, name: string, rest: string): string {
  return `  ${word.padEnd(10)}  ${name.padEnd(20)}  ${rest}`.trimEnd();
}
