// Deploys while requests run: how many requests failed, and whether any answer was older than one that was given before.

import { openClient } from "../client.js";
import { hostOf, prepareChanges, sendObjects, startFleet, untilAnswered, updateRef } from "../fleet.js";
import { summarize } from "../statistics.js";
import type { Row } from "./row.js";

const SWITCHES = 200;
const CONNECTIONS = 8;

export const switches: Row = {
  name: "switches",
  about: `${SWITCHES} deploys while ${CONNECTIONS} connections ask all the time`,
  async run({ scope, say }) {
    const fleet = await startFleet(scope, 10);
    const changes = await prepareChanges(fleet, SWITCHES);
    await sendObjects(fleet);
    const order = new Map(["fn-0", ...changes.map(({ text }) => text)].map((text, index) => [text, index]));
    const stop = new AbortController();
    const counts = { requests: 0, failed: 0, older: 0 };
    let newest = 0;
    const ask = async () => {
      const client = openClient(fleet.port);
      while (!stop.signal.aborted) {
        const atLeast = newest;
        const answer = await client.get(hostOf(0)).catch(() => undefined);
        const place = answer?.status === 200 ? order.get(answer.text) : undefined;
        counts.requests++;
        if (place === undefined) counts.failed++;
        else if (place < atLeast) counts.older++;
        newest = Math.max(newest, place ?? 0);
      }
      client.close();
    };
    const asking = Array.from({ length: CONNECTIONS }, ask);
    const start = performance.now();
    for (const { commit, text } of changes) {
      await updateRef(fleet, commit);
      await untilAnswered(fleet.port, hostOf(0), text);
    }
    const each = (performance.now() - start) / SWITCHES;
    stop.abort();
    await Promise.all(asking);
    say(`${counts.requests} requests`);
    return [
      {
        measure: `failed or outdated answers in ${SWITCHES} switches under load`,
        unit: "",
        ours: summarize([counts.failed + counts.older]),
        target: { text: "0", met: counts.failed + counts.older === 0 },
        details: { ...counts, "ms per switch": each },
      },
    ];
  },
};
