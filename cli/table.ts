// Tables of text, and lines below a row. Pure.

import { styleText } from "node:util";
import Table from "cli-table3";
import { printable } from "./wording.js";

export interface Row {
  cells: string[];
  /** Lines that belong to the row, shown below it. */
  below?: string[];
}

/** Columns two spaces apart, without borders. */
export function formatTable(head: string[], rows: Row[]): string {
  const none = { top: "", "top-mid": "", "top-left": "", "top-right": "", bottom: "", "bottom-mid": "" };
  const sides = { "bottom-left": "", "bottom-right": "", left: "", "left-mid": "", mid: "", "mid-mid": "" };
  const table = new Table({
    chars: { ...none, ...sides, right: "", "right-mid": "", middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(head, ...rows.map(({ cells }) => cells));
  const lines = table.toString().split("\n");
  return lines
    .flatMap((line, index) => [line.trimEnd(), ...(rows[index - 1]?.below ?? []).map((text) => `  ${text}`)])
    .map((line) => `${line}\n`)
    .join("");
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
