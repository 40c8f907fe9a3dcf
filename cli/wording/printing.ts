// How numbers, errors and text from elsewhere look on a terminal. Pure.

import type { ErrorReport } from "../../agent/errors.js";

/** A span for people, rounded down to its largest unit; takes milliseconds. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** What stands below a help text. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** Bytes for people. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** `1 row`, `2 rows`. */
export function count(number: number, word: string, several = `${word}s`): string {
  return `${number} ${number === 1 ? word : several}`;
}

/** `file:line:column: message`, as far as known. */
export function describeError({ message, position }: Pick<ErrorReport, "message" | "position">): string {
  if (!position) return message;
  const { file, line, column } = position;
  const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined);
  return `${place.join(":")}: ${message}`;
}

/** A value as JSON without what a terminal would obey: such characters stand in strings only, where they can be escaped. */
export function formatJson(value: unknown, indent?: number): string {
  const escaped = (one: string) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, indent).replace(/[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, escaped);
}

/** Text from elsewhere, on one line and without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").replace(/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "");
}
