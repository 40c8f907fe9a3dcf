// 200 switches under traffic. Takes minutes: run by npm run test:long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRepository, startAgent } from "../harness.js";
import { startTraffic, switchVersions } from "../switches.js";

test("no request fails during 200 switches, and each ends on the version it began with", async () => {
  const [agent, repository] = await Promise.all([startAgent(), createRepository()]);
  try {
    const traffic = startTraffic(agent, ["busy", "steady"]);
    await switchVersions({ agent, repository, name: "busy", count: 200, traffic });
    const { answered, failures, versions } = await traffic.stop();
    assert.deepEqual(failures, []);
    assert.ok(answered > 1_000, `only ${answered} requests`);
    assert.ok(versions.size > 50, `only ${versions.size} versions were seen`);
  } finally {
    await Promise.all([agent.stop(), repository.remove()]);
  }
});
