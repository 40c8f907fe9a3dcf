// A hundred changes in ten seconds: when the last one is live, beside one change in calm; and how many passes that took.
import { setTimeout as sleep } from "node:timers/promises";
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
import type { Finding } from "../report.js";
import { summarize } from "../statistics.js";
import { against, type Row, type RowContext } from "./row.js";

const SIZE = 100;
const CHANGES = 100;
const EVERY = 100;

export const storm: Row = {
  name: "storm",
  about: `${CHANGES} moved references in ${(CHANGES * EVERY) / 1000} s, until the last is live, with ${SIZE} functions`,
  async run({ scope, rounds, say }: RowContext): Promise<Finding[]> {
    const fleet = await startFleet(scope, SIZE);
    const changes = await prepareChanges(fleet, (CHANGES + 1) * rounds + 2);
    await sendObjects(fleet);
    // The first two warm the agent's code.
    for (const change of changes.splice(0, 2)) await measureOne(fleet, change);
    say(`${SIZE} functions serve; ${rounds} storms`);
    const calm: number[] = [];
    const stormy: { last: number; passes: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      calm.push(await measureOne(fleet, changes.shift()!));
      stormy.push(await measureStorm(fleet, changes.splice(0, CHANGES)));
    }
    const ours = stormy.map(({ last }) => last);
    return [
      {
        measure: `the last of ${CHANGES} moved references in ${(CHANGES * EVERY) / 1000} s → live`,
        ...{ unit: "ms", ours: summarize(ours), peer: against("one in calm", ours, calm) },
        details: { passes: summarize(stormy.map(({ passes }) => passes)).median },
      },
    ];
  },
};

type Change = { commit: string; text: string };

async function measureOne(fleet: Fleet, { commit, text }: Change): Promise<number> {
  const begin = performance.now();
  await Promise.all([updateRef(fleet, commit), untilAnswered(fleet.port, hostOf(0), text)]);
  const taken = performance.now() - begin;
  await untilSettled(fleet, commit);
  return taken;
}

/** Each change comes when its time is there, however long the ones before it took. */
async function measureStorm(fleet: Fleet, changes: Change[]): Promise<{ last: number; passes: number }> {
  const before = loggedPhases(fleet.agent).length;
  const begin = performance.now();
  const last = changes.pop()!;
  for (const [index, { commit }] of changes.entries()) {
    await sleep(Math.max(0, begin + index * EVERY - performance.now()));
    await updateRef(fleet, commit);
  }
  const milliseconds = await measureOne(fleet, last);
  return { last: milliseconds, passes: loggedPhases(fleet.agent).length - before };
}
