// What people ask of 1,000 functions: status and diff, by API and by the command, and a push while others ask without pause.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RevisionDiff, Status } from "../../agent/model.js";
import {
  type Fleet,
  hostOf,
  prepareChanges,
  sendObjects,
  startFleet,
  untilAnswered,
  untilSettled,
  updateRef,
} from "../fleet.js";
import type { Finding } from "../report.js";
import { summarize } from "../statistics.js";
import { against, atMost, type Row, type RowContext } from "./row.js";

const run = promisify(execFile);
const WRKST = fileURLToPath(new URL("../../../cli/dist/wrkst.cjs", import.meta.url));
const FUNCTIONS = 1000;
const TIMES = 25;
const LIMIT = 200;
/** Calls that are under way at a time while a push is measured. */
const ASKERS = 4;

export const asking: Row = {
  name: "asking",
  about: "status and diff of 1,000 functions, and a push while four ask for them without pause",
  async run({ scope, rounds, say }: RowContext): Promise<Finding[]> {
    const fleet = await startFleet(scope, FUNCTIONS);
    const times = Math.max(TIMES, rounds);
    say(`${FUNCTIONS} functions serve`);
    const changes = await prepareChanges(fleet, times + 1);
    await sendObjects(fleet);
    const commits = changes.map(({ commit }) => commit);
    const [first = ""] = commits;
    const cold = await measure(commits, (commit) => compare(fleet, commit));
    const warm = await measure(commits, () => compare(fleet, first));
    const status = await measure(commits, async () => {
      const { functions } = await fleet.agent.api<Status>("/api/v1/status");
      if (functions.length !== FUNCTIONS) throw new Error(`the status has ${functions.length} functions`);
    });
    say("status and diff done");
    const said = await measure(commits, () => command(fleet, ["status"]));
    const compared = await measure(commits, () => command(fleet, ["diff", first]));
    const nothing = await measure(commits, () => command(fleet, ["--version"]));
    say("the command done");
    const pushes = await measurePushes(fleet, times);
    const peer = { name: "wrkst --version", theirs: summarize(nothing) };
    return [
      finding("GET status, 1,000 functions", status),
      finding("GET diff, one of 1,000 changed, commit never seen", cold),
      finding("GET diff, one of 1,000 changed, asked again", warm),
      { ...finding("wrkst status, 1,000 functions, start included", said), peer },
      { ...finding("wrkst diff, one of 1,000 changed, start included", compared), peer },
      {
        measure: `ref updated → live, 1,000 functions, ${ASKERS} ask for status and diff without pause`,
        ...{ unit: "ms", ours: summarize(pushes.asked), peer: against("nobody asks", pushes.asked, pushes.calm) },
        details: { "calls answered meanwhile": pushes.calls },
      },
    ];
  },
};

function finding(measure: string, times: number[]): Finding {
  const ours = summarize(times);
  const target = { text: `≤ ${LIMIT} ms`, met: atMost(ours, LIMIT, "ms").met };
  return { measure, unit: "ms", ours, target };
}

/** The first one warms the code and is not counted. */
async function measure(commits: string[], call: (commit: string) => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  for (const commit of commits) {
    const start = performance.now();
    await call(commit);
    times.push(performance.now() - start);
  }
  return times.slice(1);
}

async function compare({ agent }: Fleet, ref: string): Promise<void> {
  const { functions } = await agent.api<RevisionDiff>(`/api/v1/sources/default/diff?ref=${ref}`);
  const changed = functions.filter(({ change }) => change !== "unchanged");
  if (changed.length !== 1) throw new Error(`${changed.length} functions would change`);
}

/** `diff` ends with 2 where something would change. */
async function command({ dataDir, port }: Fleet, args: string[]): Promise<void> {
  const env = { PATH: process.env.PATH, HOME: dataDir, WRKST_URL: `http://localhost:${port}` };
  const token = ["--token-file", join(dataDir, "secrets/admin-token")];
  const asked = args[0]?.startsWith("--") ? args : [...args, ...token];
  await run(process.execPath, [WRKST, ...asked], { env, maxBuffer: 2 ** 26 }).catch((error: { code?: number }) => {
    if (args[0] !== "diff" || error.code !== 2) throw error;
  });
}

/** Calm and asked in turn. */
async function measurePushes(fleet: Fleet, times: number) {
  const changes = await prepareChanges(fleet, 2 * times + 2);
  await sendObjects(fleet);
  const [calm, asked]: [number[], number[]] = [[], []];
  let calls = 0;
  for (const [index, change] of changes.entries()) {
    const isAsked = index % 2 === 1;
    const stop = new AbortController();
    const askers = isAsked ? Array.from({ length: ASKERS }, () => askOn(fleet, change.commit, stop.signal)) : [];
    const start = performance.now();
    // Whoever still asks is waited for also after a failure, while there is somebody to answer.
    const answered = Promise.all([updateRef(fleet, change.commit), untilAnswered(fleet.port, hostOf(0), change.text)]);
    await answered.finally(async () => {
      (isAsked ? asked : calm).push(performance.now() - start);
      stop.abort();
      for (const count of await Promise.all(askers)) calls += count;
    });
    await untilSettled(fleet, change.commit);
  }
  return { calm: calm.slice(1), asked: asked.slice(1), calls };
}

async function askOn({ agent }: Fleet, ref: string, signal: AbortSignal): Promise<number> {
  let calls = 0;
  while (!signal.aborted) {
    await agent.api(calls % 4 === 3 ? `/api/v1/sources/default/diff?ref=${ref}` : "/api/v1/status");
    calls += 1;
  }
  return calls;
}
