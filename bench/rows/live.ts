// From a change in git to its answer: the reference moved in the embedded repository, and a push as its user sees it.

import {
  type Fleet,
  hostOf,
  loggedPhases,
  prepareChanges,
  sendObjects,
  startFleet,
  untilAnswered,
  untilSettled,
  updateRef,
} from "../fleet.js";
import { openWranglerDryRun } from "../peers.js";
import type { Finding } from "../report.js";
import { withScope } from "../scope.js";
import { summarize } from "../statistics.js";
import { medians, type Row, type RowContext } from "./row.js";

const CHANGES = 25;
const LIMITS: Record<number, number> = { 1: 250, 100: 250, 1000: 500 };
const PUSH_LIMIT = 700;

/** One row for a number of functions, of which one changes. */
export function live(size: number): Row {
  return {
    name: `live-${size}`,
    about: `from a moved reference, and from git push, to the new answer, with ${size} functions`,
    async run({ scope, rounds, say }: RowContext): Promise<Finding[]> {
      const changes = Math.max(CHANGES, rounds);
      const fleet = await startFleet(scope, size);
      say(`${size} functions serve; ${changes} changes each way`);
      const moved = await measureMoves(fleet, changes);
      const pushed = await measurePushes(fleet, changes);
      const peer = { name: "wrangler deploy --dry-run", theirs: summarize(await measureWrangler(rounds)) };
      const ours = summarize(moved.milliseconds);
      const limit = LIMITS[size] ?? 500;
      const inTime = ours.median <= limit && (size >= 1000 || ours.p99 <= 1000);
      const push = summarize(pushed.milliseconds);
      const functions = `${size.toLocaleString("en")} ${size === 1 ? "function" : "functions"}`;
      return [
        {
          measure: `ref updated → live, ${functions}`,
          ...{ unit: "ms", ours, peer, details: moved.phases },
          target: { text: size >= 1000 ? `≤ ${limit} ms` : `≤ ${limit} ms, p99 ≤ 1 s`, met: inTime },
        },
        {
          measure: `git push, whole, ${functions}`,
          ...{ unit: "ms", ours: push, peer, details: pushed.phases },
          target: { text: `≤ ${PUSH_LIMIT} ms`, met: push.median <= PUSH_LIMIT },
        },
      ];
    },
  };
}

/** The clock starts before git is called to move the reference: its own few milliseconds are counted. */
async function measureMoves(fleet: Fleet, count: number) {
  const changes = await prepareChanges(fleet, count + 2);
  await sendObjects(fleet);
  await untilAnswered(fleet.port, hostOf(0), "fn-0");
  return measureEach(fleet, changes, async ({ commit, text }) => {
    await Promise.all([updateRef(fleet, commit), untilAnswered(fleet.port, hostOf(0), text)]);
  });
}

async function measurePushes(fleet: Fleet, count: number) {
  const remote = await fleet.agent.remote();
  const begin = fleet.repository;
  const times: number[] = [];
  const before = loggedPhases(fleet.agent).length;
  for (let change = 0; change < count + 2; change++) {
    const [prepared] = await prepareChanges(fleet, 1);
    const start = performance.now();
    await begin.git("push", "--quiet", remote, "HEAD:main");
    times.push(performance.now() - start);
    await untilAnswered(fleet.port, hostOf(0), prepared?.text ?? "", 1000);
    await untilSettled(fleet, prepared?.commit ?? "");
  }
  return { milliseconds: times.slice(2), phases: medians(loggedPhases(fleet.agent).slice(before + 2)) };
}

/** The first two changes warm the agent's code and are not counted. */
async function measureEach(
  fleet: Fleet,
  changes: { commit: string; text: string }[],
  change: (next: { commit: string; text: string }) => Promise<void>,
) {
  const before = loggedPhases(fleet.agent).length;
  const times: number[] = [];
  for (const next of changes) {
    const start = performance.now();
    await change(next);
    times.push(performance.now() - start);
    await untilSettled(fleet, next.commit);
  }
  return { milliseconds: times.slice(2), phases: medians(loggedPhases(fleet.agent).slice(before + 2)) };
}

function measureWrangler(rounds: number): Promise<number[]> {
  return withScope(async (scope) => {
    const dryRun = await openWranglerDryRun(scope);
    await dryRun();
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await dryRun());
    return times;
  });
}
