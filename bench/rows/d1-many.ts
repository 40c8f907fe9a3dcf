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

export const d1Many: Row = {
  name: "d1-many",
  about: `D1: memory and open files of the runtime while ${FUNCTIONS * DATABASES} databases are touched in turn`,
  async run({ scope, say }) {
    const targets = await startOwn(scope, FUNCTIONS, DATABASES);
    const [first] = targets;
    if (!first) throw new Error("no function");
    for (const target of targets) await touch(target, "create", DATABASES);
    await untilClosed(first.pid);
    const before = { memory: residentMegabytes(first.pid), files: openFiles(first.pid) };
    const times: number[] = [];
    for (const target of targets) times.push(...(await touch(target, "read", DATABASES)));
    const open = { memory: residentMegabytes(first.pid), files: openFiles(first.pid) };
    say("all were touched");
    await untilClosed(first.pid);
    const after = { memory: residentMegabytes(first.pid), files: openFiles(first.pid) };
    const measure = `${FUNCTIONS * DATABASES} databases touched in turn`;
    return [
      {
        ...{ measure: `${measure}, memory of the runtime`, unit: "MB", ours: summarize([open.memory]) },
        details: { "before, none open": before.memory, "after, none open": after.memory },
      },
      {
        ...{
          measure: `${measure}, files of databases that are open`,
          unit: "",
          ours: summarize([open.files.databases]),
        },
        target: { text: "0 when idle", met: after.files.databases === 0 },
        details: {
          "when idle": after.files.databases,
          "all descriptors": open.files.all,
          "all when idle": after.files.all,
        },
      },
      { measure: `${measure}, each`, unit: "ms", ours: summarize(times) },
    ];
  },
};

function untilClosed(pid: number): Promise<void> {
  return until("no database is open", () => openFiles(pid).databases === 0, PATIENCE);
}
