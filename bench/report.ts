// What a row found: as a table for people, as a small JSON file for comparison with later runs.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import workerd from "workerd";
import type { Summary } from "./statistics.js";

export interface Finding {
  measure: string;
  unit: "ms" | "µs" | "×" | "MB" | "%" | "/s" | "";
  ours: Summary;
  peer?: { name: string; theirs: Summary; ratio?: Summary };
  /** In words, and whether it was reached; without a target the figure is context. */
  target?: { text: string; met: boolean };
  /** Where the time went, or what else should be known; medians. */
  details?: Record<string, number>;
}

export interface RowResult {
  row: string;
  findings: Finding[];
}

const RESULTS = new URL("../../bench/results/", import.meta.url);

/** One file for a row, replaced by each run: git keeps the history. */
export async function writeResult({ row, findings }: RowResult, rounds: number): Promise<void> {
  const machine = {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    load: loadavg()[0],
    node: process.version,
    workerd: workerd.version,
  };
  const text = JSON.stringify({ row, rounds, machine, findings }, (_, value) => shorten(value), 2);
  await mkdir(RESULTS, { recursive: true });
  await writeFile(new URL(`${row}.json`, RESULTS), `${text}\n`);
}

export async function readResult(row: string): Promise<RowResult | undefined> {
  const text = await readFile(new URL(`${row}.json`, RESULTS), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as RowResult);
}

/** A table in Markdown. */
export function tableOf(results: readonly RowResult[]): string {
  const head = ["measure", "wrkst", "peer, same run", "ratio", "target", "met"];
  const rows = results.flatMap(({ findings }) => findings.map(cellsOf));
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Where time went, one line for each finding that knows. */
export function detailsOf(results: readonly RowResult[]): string[] {
  return results.flatMap(({ findings }) =>
    findings.flatMap(({ measure, details }) => {
      if (!details) return [];
      const parts = Object.entries(details).map(([name, value]) => `${name} ${shorten(value)}`);
      return [`${measure}: ${parts.join(", ")}`];
    }),
  );
}

function cellsOf({ measure, unit, ours, peer, target }: Finding): string[] {
  return [
    measure,
    formatSummary(ours, unit),
    peer ? `${formatSummary(peer.theirs, unit)} (${peer.name})` : "",
    peer?.ratio ? formatSummary(peer.ratio, "×") : "",
    target?.text ?? "",
    target ? (target.met ? "yes" : "**no**") : "",
  ];
}

function formatSummary({ samples, median, p99, min, max }: Summary, unit: string): string {
  const value = `${formatNumber(median)}${unit === "" ? "" : ` ${unit}`}`;
  if (samples === 1) return value;
  return samples >= 20 ? `${value}, p99 ${formatNumber(p99)}` : `${value} (${formatNumber(min)}–${formatNumber(max)})`;
}

function formatNumber(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function shorten(value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
