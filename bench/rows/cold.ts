// The first request to a function that is not loaded: reading, checking and starting its code.
import { CONTROL } from "../../runtime/wire.js";
import { type Client, openClient } from "../client.js";
import { askControl } from "../control.js";
import { hostOf, nameOf, startFleet } from "../fleet.js";
import { startBareLoader } from "../peers.js";
import { summarize } from "../statistics.js";
import { against, type Row } from "./row.js";

const FUNCTIONS = 200;
const LIMIT = 1.3;

export const cold: Row = {
  name: "cold",
  about: `first request to each of ${FUNCTIONS} functions that are not loaded, against a loader with nothing around it`,
  async run({ scope, rounds, say }) {
    const fleet = await startFleet(scope, FUNCTIONS);
    const bare = await startBareLoader(scope);
    const ours = openClient(fleet.port);
    const theirs = openClient(bare.port);
    const samples = { ours: [] as number[], theirs: [] as number[] };
    const medians = { ours: [] as number[], theirs: [] as number[] };
    const names = Array.from({ length: FUNCTIONS }, (_, index) => nameOf(index));
    for (let round = 0; round < rounds; round++) {
      await askControl(fleet.dataDir, CONTROL.evict, { functions: names });
      const mine = await firstRequests(ours, hostOf, nameOf);
      const other = await firstRequests(theirs, (index) => `${nameOf(index)}.round-${round}`, nameOf);
      samples.ours.push(...mine);
      samples.theirs.push(...other);
      medians.ours.push(summarize(mine).median);
      medians.theirs.push(summarize(other).median);
      say(`round ${round + 1} of ${rounds}`);
    }
    ours.close();
    theirs.close();
    const { ratio } = against("", medians.ours, medians.theirs);
    return [
      {
        measure: "first request to a function that is not loaded",
        unit: "ms",
        ours: summarize(samples.ours),
        peer: { name: "bare loader", theirs: summarize(samples.theirs), ratio },
        target: { text: `≤ ${LIMIT} ×`, met: ratio.median <= LIMIT },
      },
    ];
  },
};

/** One request to each function, none of them loaded before; the first few warm the connection and are not counted. */
async function firstRequests(
  client: Client,
  host: (index: number) => string,
  text: (index: number) => string,
): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < FUNCTIONS; index++) {
    const answer = await client.get(host(index));
    if (answer.text !== text(index)) throw new Error(`"${host(index)}" answered ${answer.status} ${answer.text}`);
    if (index >= 5) times.push(answer.milliseconds);
  }
  return times;
}
