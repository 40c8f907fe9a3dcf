// From the answer to a webhook to the new version: a repository elsewhere, fetched over HTTP, beside a reference that moves in
// the embedded repository.

import { createHmac, randomUUID } from "node:crypto";
import { startAgent, type TestAgent } from "../../e2e/harness.js";
import { type Fleet, hostOf, prepareChanges, sendObjects, startFleet, untilAnswered, updateRef } from "../fleet.js";
import { startForge } from "../forge.js";
import type { Finding } from "../report.js";
import type { Scope } from "../scope.js";
import { summarize } from "../statistics.js";
import { against, type Row, type RowContext } from "./row.js";

const SIZE = 100;
const CHANGES = 25;
const LIMIT = 250;
const SECRET = "the secret of the bench";

export const webhook: Row = {
  name: "webhook",
  about: `from an accepted webhook to the new answer, with ${SIZE} functions, beside a moved reference`,
  async run({ scope, rounds, say }: RowContext): Promise<Finding[]> {
    const fleet = await startFleet(scope, SIZE);
    const forge = await startForge(scope, fleet.repository.dir);
    const follower = await startFollower(scope, forge.url);
    const changes = await prepareChanges(fleet, Math.max(CHANGES, rounds) + 2);
    await sendObjects(fleet);
    say(`${SIZE} functions serve twice; ${changes.length} changes each way`);
    const figures: { accepted: number; hooked: number; moved: number }[] = [];
    for (const change of changes) {
      await fleet.repository.git("push", "--quiet", forge.bare, `${change.commit}:refs/heads/main`);
      figures.push({ ...(await measureHook(follower, change)), moved: await measureMove(fleet, change) });
    }
    // The first two warm the agents' code.
    const counted = figures.slice(2);
    const ours = counted.map(({ hooked }) => hooked);
    const median = summarize(ours).median;
    return [
      {
        measure: `webhook accepted → live, ${SIZE} functions`,
        ...{ unit: "ms", ours: summarize(ours) },
        peer: against(
          "ref updated → live",
          ours,
          counted.map(({ moved }) => moved),
        ),
        target: { text: `≤ ${LIMIT} ms`, met: median <= LIMIT },
        details: { "ms until accepted": summarize(counted.map(({ accepted }) => accepted)).median },
      },
    ];
  },
};

async function startFollower(scope: Scope, url: string): Promise<TestAgent> {
  const env = { GIT_REPO: url, GIT_POLL_INTERVAL: "0", WEBHOOK_SECRET: SECRET };
  const agent = await startAgent({ env, patience: 300_000 });
  scope.defer(() => agent.stop());
  return agent;
}

async function measureHook(agent: TestAgent, { commit, text }: { commit: string; text: string }) {
  const body = JSON.stringify({ ref: "refs/heads/main", after: commit });
  const signature = createHmac("sha256", SECRET).update(body).digest("hex");
  const headers = {
    "content-type": "application/json",
    ...{ "x-gitea-event": "push", "x-gitea-delivery": randomUUID(), "x-gitea-signature": signature },
  };
  const start = performance.now();
  const { status } = await agent.request("localhost", "/webhooks/default/gitea", { method: "POST", headers, body });
  const accepted = performance.now();
  if (status !== 202) throw new Error(`the webhook was answered with ${status}`);
  await untilAnswered(agent.port, hostOf(0), text);
  return { accepted: accepted - start, hooked: performance.now() - accepted };
}

async function measureMove(fleet: Fleet, { commit, text }: { commit: string; text: string }): Promise<number> {
  const start = performance.now();
  await Promise.all([updateRef(fleet, commit), untilAnswered(fleet.port, hostOf(0), text)]);
  return performance.now() - start;
}
