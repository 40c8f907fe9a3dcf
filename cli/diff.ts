// What a revision would change, as text for people. Pure.

import type { FunctionDiff, RevisionDiff } from "../agent/model.js";
import { describeError, printable, says, size } from "./wording.js";

export function viewDiff({ from, to, functions }: RevisionDiff): string {
  const changing = functions.filter(({ change }) => change !== "unchanged");
  const shown = functions.filter(({ change, pins }) => change !== "unchanged" || pins);
  const lines = shown.flatMap((one) => [says.wouldChange(one.change, one.name), ...linesOf(one).map(indented)]);
  const head = says.compared(short(from), short(to), changing.length, functions.length - changing.length);
  return [head, ...lines].map((line) => `${line}\n`).join("");
}

function linesOf(one: FunctionDiff): string[] {
  const { size: bytes, hold, error, bindings } = one;
  const named = (sign: string, names: string[]) => names.map((name) => `${sign} binding ${name}`);
  return [
    ...(error ? [`error: ${describeError(error)}`] : []),
    ...(hold ? [says.heldBack(hold)] : []),
    ...(one.pins ?? []).map(says.pinnedIn),
    ...(bytes && isTold(one) ? [`size ${bytesOf(bytes.from)} → ${bytesOf(bytes.to)}`] : []),
    ...one.configuration.map(({ key, from, to }) => `${key} ${JSON.stringify(from)} → ${JSON.stringify(to)}`),
    ...[...named("+", bindings.added), ...named("-", bindings.removed), ...named("~", bindings.changed)],
    ...one.migrations.map(({ database, pending }) => `migrates ${database}: ${pending.join(", ")}`),
  ];
}

/** Of what is made and was never built nothing is known, of what goes nobody asks. */
const isTold = ({ change, size: bytes }: FunctionDiff) =>
  change !== "remove" && (bytes?.from !== null || bytes?.to !== null);

const indented = (line: string) => `  ${printable(line)}`;

function bytesOf(bytes: number | null): string {
  return bytes === null ? "?" : size(bytes);
}

/** `main@sha1:3f2a…` → `3f2a91c`. */
function short(revision: string | null): string {
  return revision === null ? "-" : printable(revision.split(":").at(-1) ?? "").slice(0, 7);
}
