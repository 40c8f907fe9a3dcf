// Agents killed at chosen and at random moments of a push or a deploy, again and again on one data folder. Takes minutes: run by
// npm run test:long.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { surviveDeployKills } from "../deploy-kills.js";
import { createRepository, functionFiles, startAgent, until } from "../harness.js";
import { killDuring, MOMENTS, type Moment } from "../kill.js";
import { isAlive } from "../processes.js";

const ROUNDS = 40;
/** Milliseconds after the start of a push, within which it is killed. */
const LONGEST = 2_000;

test("after each of 12 kills in the middle of deploys by hand what was acknowledged is there, whole", (t) =>
  surviveDeployKills(t, 12));

function randomMoment(): Moment {
  const wait = Math.floor(Math.random() * LONGEST);
  let end: number | undefined;
  return {
    name: `after ${wait} ms`,
    isNow() {
      end ??= Date.now() + wait;
      return Date.now() >= end;
    },
  };
}

test("after each of 45 kills at chosen and random moments what was accepted last serves, or what served before", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "wrkst-kills-"));
  const repository = await createRepository();
  let agent = await startAgent({ dataDir });
  try {
    let accepted = "none";
    for (const [round, moment] of [...MOMENTS, ...Array.from({ length: ROUNDS }, randomMoment)].entries()) {
      const names = ["a", "b", "c"];
      await repository.commit(Object.assign({}, ...names.map((name) => functionFiles(name, `round ${round}`))));
      const killed = await killDuring({ agent, repository, moment });
      if (killed.accepted) accepted = `round ${round}`;
      agent = await startAgent({ dataDir });
      await until("nothing of the killed agent is left", () => !killed.before.some(({ pid }) => isAlive(pid)));
      for (const name of names) {
        const { status, text } = await agent.request(name);
        const said = `round ${round}, killed ${moment.name}: ${status} ${text}`;
        assert.equal(accepted === "none" ? String(status) : text, accepted === "none" ? "404" : accepted, said);
      }
    }
  } finally {
    await agent.stop();
    await Promise.all([repository.remove(), rm(dataDir, { recursive: true, force: true })]);
  }
});
