// A function that loops for ever freezes the process; how long do its neighbours not answer?
import { functionFiles } from "../../e2e/harness.js";
import { openClient } from "../client.js";
import { hostOf, nameOf, startFleet, untilAnswered } from "../fleet.js";
import { withScope } from "../scope.js";
import { summarize } from "../statistics.js";
import type { Row } from "./row.js";

const HANG_TIMEOUT = 3000;
const LOOP = "export default { fetch() { for (;;); } };\n";

export const hang: Row = {
  name: "hang",
  about: "how long the others do not answer when one function loops for ever",
  async run({ rounds, say }) {
    const times: number[] = [];
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      times.push(await withScope(freezeOnce));
      say(`round ${round + 1}`);
    }
    const ours = summarize(times);
    const limit = HANG_TIMEOUT + 1000;
    return [
      {
        measure: "one function loops for ever → others answer again",
        ...{ unit: "ms", ours, target: { text: "≤ 3 s to notice + 1 s", met: ours.median <= limit } },
      },
    ];
  },
};

async function freezeOnce(scope: Parameters<Parameters<typeof withScope>[0]>[0]): Promise<number> {
  const fleet = await startFleet(scope, 2);
  await fleet.repository.commit({ ...functionFiles("loop", ""), "loop/index.ts": LOOP });
  await fleet.repository.git("push", "--quiet", await fleet.agent.remote(), "HEAD:main");
  await untilAnswered(fleet.port, hostOf(0), nameOf(0));
  const looping = openClient(fleet.port);
  const start = performance.now();
  const ended = looping.get("loop.localhost").catch(() => undefined);
  await untilSilent(fleet.port);
  for (;;) {
    const client = openClient(fleet.port);
    const answer = await client.get(hostOf(0), { timeout: 100 }).catch(() => undefined);
    client.close();
    if (answer?.text === nameOf(0)) break;
    if (performance.now() - start > 60_000) throw new Error("the neighbour did not answer within a minute");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const back = performance.now() - start;
  await ended;
  looping.close();
  return back;
}

async function untilSilent(port: number): Promise<void> {
  const client = openClient(port);
  while (await client.get(hostOf(1), { timeout: 100 }).catch(() => undefined));
  client.close();
}
