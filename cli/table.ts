// Tables of text, and lines below a row. Pure.

import { styleText } from "node:util";
import { printable } from "./wording.js";

export interface Row {
  cells: string[];
  /** Lines that belong to the row, shown below it. */
  below?: string[];
}

/** Columns two spaces apart, without borders. */
export function formatTable(head: string[], rows: Row[]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows.map(({ cells }) => cells)].map((cells) => widthOf(cells[column]))),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join("  ")
      .trimEnd();
  const lines = rows.flatMap(({ cells, below = [] }) => [line(cells), ...below.map((text) => `  ${text}`)]);
  return [line(head), ...lines].map((text) => `${text}\n`).join("");
}

const COLOUR_CODE = /\x1b\[\d+m/g;
const PLAIN = /^[\x20-\x7e]*$/;
const ZERO_WIDE = /\p{Mark}|\u200d/u;
const TWO_WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Cells of a terminal that the text takes; colours take none. */
function widthOf(text = ""): number {
  const shown = text.replace(COLOUR_CODE, "");
  // Nearly all of a long table: looked at letter by letter, a thousand rows take longer than the server's answer.
  if (PLAIN.test(shown)) return shown.length;
  const widths = [...shown].map((one) => (ZERO_WIDE.test(one) ? 0 : TWO_WIDE.test(one) ? 2 : 1));
  return widths.reduce<number>((sum, width) => sum + width, 0);
}

/** Names on the left, values in one column. */
export function formatPairs(pairs: [string, string | null | undefined][]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `  ${name.padEnd(width)}  ${printable(value ?? "")}\n`)
    .join("");
}

const COLOURS: Record<string, "green" | "red" | "yellow"> = {
  ready: "green",
  running: "green",
  failed: "red",
  quarantined: "red",
  "name-taken": "red",
};

/** A state in its colour. */
export function paintState(state: string, colour: boolean): string {
  return colour ? styleText(COLOURS[state] ?? "yellow", state, { validateStream: false }) : state;
}
