// A thousand sources that are asked for news each minute: what that costs, how many processes run at once, and how long it takes
// until all were asked when all are due, as after a restart.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createRepository, freePort, startAgent, type TestAgent } from "../../e2e/harness.js";
import { type Forge, startForge } from "../forge.js";
import { childrenOf, cpuSecondsOfTree, residentMegabytes } from "../process-figures.js";
import type { Finding } from "../report.js";
import { summarize } from "../statistics.js";
import type { Row, RowContext } from "./row.js";

const SIZE = 1_000;
const INTERVAL = 60_000;

export const sources: Row = {
  name: "sources",
  about: `${SIZE} sources that are asked for news each minute: processor time, memory, processes at once`,
  async run({ scope, rounds, say }: RowContext): Promise<Finding[]> {
    const repository = await createRepository();
    scope.defer(() => repository.remove());
    await repository.commit({ "README.md": "no functions" });
    const forge = await startForge(scope, repository.dir);
    const options = { dataDir: await scope.folder(), port: await freePort(), patience: 300_000 };
    const start = () => startAgent({ ...options, env: { GIT_ALLOW_HOSTS: "127.0.0.1", GIT_POLL_INTERVAL: "0" } });
    let agent = await start();
    scope.defer(() => agent.stop());
    for (let index = 0; index < SIZE; index++) await addSource(agent, `source-${index}`, forge.url);
    say(`${SIZE} sources are followed; ${rounds} minutes`);
    const minutes: Minute[] = [];
    for (let round = 0; round < rounds; round++) minutes.push(await measureMinute(agent, forge));
    await agent.stop();
    const begun = forge.looks();
    const begin = performance.now();
    agent = await start();
    while (forge.looks() - begun < SIZE) await sleep(20);
    const all = summarize([performance.now() - begin]);
    const per = minutes.map(({ cpu, looks }) => (cpu * 1_000) / Math.max(1, looks));
    const summaryOf = (key: keyof Minute) => summarize(minutes.map((minute) => minute[key]));
    return [
      {
        measure: `${SIZE.toLocaleString("en")} sources, asked each minute: processor time of a look, git included`,
        ...{ unit: "ms", ours: summarize(per) },
        details: {
          "% of a core": summaryOf("cpu").median / (INTERVAL / 100_000),
          looks: summaryOf("looks").median,
          "git processes at once": summaryOf("processes").max,
          "MB resident": summaryOf("memory").median,
        },
      },
      { measure: `restart with ${SIZE.toLocaleString("en")} sources → all asked`, unit: "ms", ours: all },
    ];
  },
};

interface Minute {
  /** Seconds. */
  cpu: number;
  looks: number;
  /** Most that were seen at once. */
  processes: number;
  memory: number;
}

async function measureMinute({ process: { pid = 0 } }: TestAgent, forge: Forge): Promise<Minute> {
  const [cpu, looks] = [cpuSecondsOfTree(pid), forge.looks()];
  const end = performance.now() + INTERVAL;
  let processes = 0;
  while (performance.now() < end) {
    processes = Math.max(processes, childrenOf(pid).filter(isGit).length);
    await sleep(250);
  }
  return {
    ...{ cpu: cpuSecondsOfTree(pid) - cpu, looks: forge.looks() - looks },
    ...{ processes, memory: residentMegabytes(pid) },
  };
}

function isGit(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("git");
  } catch {
    return false;
  }
}

/** The API takes so many writes a minute; then it says when to come again. */
async function addSource(agent: TestAgent, name: string, repo: string): Promise<void> {
  const body = JSON.stringify({ name, repo, interval: INTERVAL });
  const headers = { authorization: `Bearer ${await agent.token()}`, "content-type": "application/json" };
  for (;;) {
    const { status, text } = await agent.request("localhost", "/api/v1/sources", { method: "POST", headers, body });
    if (status === 201) return;
    if (status !== 429) throw new Error(`the source was answered with ${status}: ${text}`);
    await sleep(1_000);
  }
}
