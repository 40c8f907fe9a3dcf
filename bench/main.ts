// The bench: runs the rows that are named, or all, one after the other; prints the table and keeps the figures.
import { parseArgs } from "node:util";
import { detailsOf, type RowResult, readResult, tableOf, writeResult } from "./report.js";
import { asking } from "./rows/asking.js";
import { cold } from "./rows/cold.js";
import { d1 } from "./rows/d1.js";
import { d1Cold, d1Many } from "./rows/d1-many.js";
import { hang } from "./rows/hang.js";
import { live } from "./rows/live.js";
import type { Row } from "./rows/row.js";
import { sources } from "./rows/sources.js";
import { start } from "./rows/start.js";
import { storm } from "./rows/storm.js";
import { switches } from "./rows/switches.js";
import { thousand } from "./rows/thousand.js";
import { warm } from "./rows/warm.js";
import { webhook } from "./rows/webhook.js";
import { withScope } from "./scope.js";

const ROWS: Row[] = [
  warm,
  cold,
  live(1),
  live(100),
  live(1000),
  webhook,
  storm,
  sources,
  thousand,
  asking,
  switches,
  hang,
  start,
  d1,
  d1Cold,
  d1Many,
];
const USAGE = `usage: npm run bench -- [row …] [--rounds N] [--table]

${ROWS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join("\n")}

  --rounds N   how many times both sides are measured, alternating (5)
  --table      measure nothing, print what bench/results holds
`;

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string", default: "5" }, table: { type: "boolean" }, help: { type: "boolean" } },
  });
  const rounds = Number(values.rounds);
  const unknown = positionals.filter((name) => !ROWS.some((row) => row.name === name));
  if (values.help || unknown.length || !Number.isInteger(rounds) || rounds < 1) {
    say(USAGE);
    return values.help ? 0 : 2;
  }
  const rows = ROWS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const results = values.table
    ? await Promise.all(rows.map(({ name }) => readResult(name)))
    : await measure(rows, rounds);
  const found = results.filter((result) => result !== undefined);
  process.stdout.write(`${tableOf(found)}\n\n${detailsOf(found).join("\n")}\n`);
  return found.length === rows.length ? 0 : 1;
}

/** A row that fails is told and does not stop the next. */
async function measure(rows: Row[], rounds: number): Promise<(RowResult | undefined)[]> {
  const results: (RowResult | undefined)[] = [];
  for (const { name, run } of rows) {
    say(`${name}:`);
    try {
      const findings = await withScope((scope) => run({ scope, rounds, say: (line) => say(`  ${line}`) }));
      results.push({ row: name, findings });
      await writeResult({ row: name, findings }, rounds);
    } catch (error) {
      say(`  failed: ${error instanceof Error ? error.stack : error}`);
      results.push(undefined);
    }
  }
  return results;
}

process.exitCode = await main();
