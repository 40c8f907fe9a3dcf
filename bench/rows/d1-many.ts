// Many databases touched in turn, and the first query to one that is not open: what lies on disk only.

import { until } from "../../e2e/harness.js";
import { startBundled, startMiniflareWithDatabases, startOwn, touch } from "../databases.js";
import type { Target } from "../load.js";
import { openFiles, residentMegabytes } from "../process-figures.js";
import type { Finding } from "../report.js";
import { summarize } from "../statistics.js";
import { against, type Row } from "./row.js";

const COLD = 100;
const FUNCTIONS = 20;
const DATABASES = 50;
const TURNS = 8;
/** Milliseconds; objects leave memory after ten seconds without a request. */
const PATIENCE = 60_000;

export const d1Cold: Row = {
  name: "d1-cold",
  about: `D1: first query to each of ${COLD} databases that are not open`,
  async run({ scope, rounds, say }) {
    const [own] = await startOwn(scope, 1, COLD);
    const sides = {
      wrkst: own as Target,
      bundled: await startBundled(scope, COLD),
      miniflare: await startMiniflareWithDatabases(scope, COLD),
    };
    for (const target of Object.values(sides)) await touch(target, "create", COLD);
    const medians = { wrkst: [] as number[], bundled: [] as number[], miniflare: [] as number[] };
    const all = { wrkst: [] as number[], bundled: [] as number[], miniflare: [] as number[] };
    for (let round = 1; round <= rounds; round++) {
      for (const { pid } of Object.values(sides)) await untilClosed(pid);
      for (const side of Object.keys(sides) as (keyof typeof sides)[]) {
        const times = await touch(sides[side], "read", COLD);
        all[side].push(...times);
        medians[side].push(summarize(times).median);
      }
      say(`round ${round} of ${rounds}`);
    }
    const find = (side: "bundled" | "miniflare", name: string): Finding => ({
      ...{ measure: "first query to a database that is not open", unit: "ms", ours: summarize(all.wrkst) },
      peer: { ...against(name, medians.wrkst, medians[side]), theirs: summarize(all[side]) },
    });
    return [find("bundled", "workerd's bundled d1.js"), find("miniflare", "miniflare")];
  },
};

interface Turn {
  /** Megabytes of the runtime, and descriptors, when all were touched and when none is open again. */
  memory: number;
  files: ReturnType<typeof openFiles>;
  memoryAtRest: number;
  filesAtRest: ReturnType<typeof openFiles>;
  /** Milliseconds of each. */
  times: number[];
}

export const d1Many: Row = {
  name: "d1-many",
  about: `D1: memory and open files of the runtime while ${FUNCTIONS * DATABASES} databases are touched in turn, again and again`,
  async run({ scope, say }) {
    const own = await startOwn(scope, FUNCTIONS, DATABASES);
    const bundled = [await startBundled(scope, FUNCTIONS * DATABASES)];
    const before = residentMegabytes(own[0]?.pid ?? 0);
    const turns = { own: [] as Turn[], bundled: [] as Turn[] };
    for (let turn = 0; turn <= TURNS; turn++) {
      const operation = turn === 0 ? "create" : "read";
      const found = { own: await touchAll(own, operation), bundled: await touchAll(bundled, operation) };
      say(`turn ${turn}: ${Math.round(found.own.memory)} MB, ${found.own.files.databases} files`);
      if (turn === 0) continue;
      turns.own.push(found.own);
      turns.bundled.push(found.bundled);
    }
    return findingsOf(turns.own, turns.bundled, before);
  },
};

async function touchAll(targets: Target[], operation: string): Promise<Turn> {
  const pid = targets[0]?.pid ?? 0;
  const times: number[] = [];
  const databases = (FUNCTIONS * DATABASES) / targets.length;
  for (const target of targets) times.push(...(await touch(target, operation, databases)));
  const all = { memory: residentMegabytes(pid), files: openFiles(pid), times };
  await untilClosed(pid);
  return { ...all, memoryAtRest: residentMegabytes(pid), filesAtRest: openFiles(pid) };
}

/** Memory is bounded when it has grown no more since half of the turns. */
function findingsOf(own: Turn[], bundled: Turn[], before: number): Finding[] {
  const measure = `${FUNCTIONS * DATABASES} databases touched in turn`;
  const name = "workerd's bundled d1.js";
  const memory = (turns: Turn[]) => turns.map((turn) => turn.memory);
  const files = (turns: Turn[]) => turns.map((turn) => turn.files.databases);
  const last = own.at(-1) as Turn;
  const growth = last.memory / (own[TURNS / 2 - 1]?.memory ?? 0);
  return [
    {
      ...{ measure: `${measure}, memory of the runtime`, unit: "MB", ours: summarize(memory(own)) },
      peer: against(name, memory(own), memory(bundled)),
      target: { text: `turn ${TURNS} ≤ 1.1 × turn ${TURNS / 2}`, met: growth <= 1.1 },
      details: { "before any": before, "last turn": last.memory, "at rest after it": last.memoryAtRest },
    },
    {
      ...{ measure: `${measure}, open files of databases`, unit: "", ours: summarize(files(own)) },
      peer: { name, theirs: summarize(files(bundled)) },
      target: { text: "0 at rest", met: own.every(({ filesAtRest }) => filesAtRest.databases === 0) },
      details: { "all descriptors": last.files.all, "at rest": last.filesAtRest.all },
    },
    {
      ...{ measure: `${measure}, each`, unit: "ms", ours: summarize(own.flatMap(({ times }) => times)) },
      peer: { name, theirs: summarize(bundled.flatMap(({ times }) => times)) },
    },
  ];
}

function untilClosed(pid: number): Promise<void> {
  return until("no database is open", () => openFiles(pid).databases === 0, PATIENCE);
}
