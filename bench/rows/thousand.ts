// A repository of 1,000 functions: its first sync, a pass without change, idleness, restart, memory.
import { setTimeout as delay } from "node:timers/promises";
import type { PassReport } from "../../agent/model.js";
import { type Fleet, hostOf, loggedPhases, nameOf, startFleet, untilAnswered } from "../fleet.js";
import { cpuSeconds, cpuSecondsOfTree, residentMegabytes } from "../process-figures.js";
import type { Finding } from "../report.js";
import { withScope } from "../scope.js";
import { summarize } from "../statistics.js";
import { atMost, medians, type Row } from "./row.js";

const FUNCTIONS = 1000;
const PASSES = 20;
const IDLE_SECONDS = 20;

export const thousand: Row = {
  name: "thousand",
  about: "1,000 functions: first sync, pass without change, idleness, restart, the agent's memory",
  async run({ scope, rounds, say }) {
    const first: { milliseconds: number; details: Record<string, number> }[] = [];
    const record = (fleet: Fleet) =>
      first.push({
        milliseconds: fleet.firstSync,
        details: {
          ...medians(loggedPhases(fleet.agent).slice(0, 1)),
          "seconds of CPU": cpuSecondsOfTree(fleet.agent.process.pid ?? 0),
        },
      });
    for (let round = 1; round < Math.min(rounds, 3); round++) {
      await withScope(async (own) => record(await startFleet(own, FUNCTIONS)));
      say(`first sync ${round}`);
    }
    const fleet = await startFleet(scope, FUNCTIONS);
    record(fleet);
    say("first syncs done");
    const sync = summarize(first.map(({ milliseconds }) => milliseconds));
    const afterSync = residentMegabytes(fleet.agent.process.pid ?? 0);
    const passes = await measurePasses(fleet);
    say("passes without change done");
    const embedded = await measureIdleness(fleet);
    const restarts = await measureRestarts(fleet, rounds);
    say("restarts done");
    await fleet.stop();
    await fleet.start({ GIT_REPO: fleet.bare });
    const polling = await measureIdleness(fleet);
    return [
      {
        measure: "first sync of 1,000 functions, agent's start included",
        ...{ unit: "ms", ours: sync, target: atMost(sync, 30_000, "ms") },
        details: medians(first.map(({ details }) => details)),
      },
      passes,
      idleFinding("embedded repository", embedded),
      idleFinding("GIT_REPO, polled every 10 s", polling),
      ...restarts,
      {
        measure: "agent's memory after the first sync of 1,000",
        ...{ unit: "MB", ours: summarize([afterSync]), target: atMost(summarize([afterSync]), 200, "MB") },
      },
    ];
  },
};

/** As the API makes it: everything is planned again, although the commit is the same. */
async function measurePasses(fleet: Fleet): Promise<Finding> {
  const times: number[] = [];
  const phases: Partial<Record<string, number>>[] = [];
  for (let pass = 0; pass < PASSES; pass++) {
    const start = performance.now();
    const report = await fleet.agent.api<PassReport>("/api/v1/sources/default/sync?wait=true", { method: "POST" });
    times.push(performance.now() - start);
    if (report.result !== "unchanged") throw new Error(`a pass without change was "${report.result}"`);
    phases.push(report.phases);
  }
  const ours = summarize(times);
  const measure = "pass without change, 1,000 functions";
  return { measure, unit: "ms", ours, target: atMost(ours, 300, "ms"), details: medians(phases) };
}

interface Idleness {
  agent: number;
  runtime: number;
}

/** Percent of a core. */
async function measureIdleness(fleet: Fleet): Promise<Idleness> {
  const agent = fleet.agent.process.pid ?? 0;
  const runtime = await fleet.runtimePid();
  await delay(3000);
  const [agentBefore, runtimeBefore] = [cpuSeconds(agent), cpuSeconds(runtime)];
  await delay(IDLE_SECONDS * 1000);
  return {
    agent: ((cpuSeconds(agent) - agentBefore) / IDLE_SECONDS) * 100,
    runtime: ((cpuSeconds(runtime) - runtimeBefore) / IDLE_SECONDS) * 100,
  };
}

function idleFinding(how: string, { agent, runtime }: Idleness): Finding {
  const ours = summarize([agent + runtime]);
  return {
    measure: `processor at rest, 1,000 functions, ${how}`,
    ...{ unit: "%", ours, target: { text: "≤ 5 % of a core", met: ours.median <= 5 }, details: { agent, runtime } },
  };
}

/** From the call of `node dist/agent/main.js` to the first answer of a function, and until the agent calls itself ready. */
async function measureRestarts(fleet: Fleet, rounds: number): Promise<Finding[]> {
  const answered: number[] = [];
  const ready: number[] = [];
  const memory: number[] = [];
  const work: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await fleet.stop();
    const start = performance.now();
    const started = fleet.start().then(() => ready.push(performance.now() - start));
    await untilAnswered(fleet.port, hostOf(FUNCTIONS - 1), nameOf(FUNCTIONS - 1));
    answered.push(performance.now() - start);
    await started;
    work.push(cpuSecondsOfTree(fleet.agent.process.pid ?? 0) * 1000);
    memory.push(residentMegabytes(fleet.agent.process.pid ?? 0));
  }
  const ours = summarize(answered);
  const resident = summarize(memory);
  return [
    {
      measure: "restart with 1,000 functions → first answer",
      ...{
        unit: "ms",
        ours,
        target: atMost(ours, 2000, "ms"),
        details: { ready: summarize(ready).median, "CPU until ready": summarize(work).median },
      },
    },
    {
      measure: "agent's memory after a restart with 1,000",
      ...{ unit: "MB", ours: resident, target: atMost(resident, 200, "MB") },
    },
  ];
}
