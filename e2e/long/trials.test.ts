// A version on trial that leaves its callers waiting. Takes more than a minute: run by npm run test:long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRepository, functionFiles, startAgent, until } from "../harness.js";

const WATCHED = "\n[wrkst]\nauto_rollback = { requests = 1000, seconds = 3600 }\n";
const WAITING = "export default { fetch: () => new Promise((resolve) => setTimeout(resolve, 600_000)) };\n";

test("a version that answers nobody goes back by itself, and those who wait are told of in its reason", async () => {
  const [agent, repository] = await Promise.all([startAgent(), createRepository()]);
  try {
    const files = functionFiles("patient", "one");
    const manifest = "patient/wrangler.toml";
    await repository.commit({ ...files, [manifest]: files[manifest] + WATCHED });
    assert.match((await repository.push(agent)).output, /live in/);
    for (let request = 0; request < 60; request++) await agent.request("patient");
    await repository.commit({ "patient/index.ts": WAITING });
    assert.match((await repository.push(agent)).output, /live in/);
    for (let caller = 0; caller < 30; caller++) void agent.request("patient").catch(() => undefined);
    await until("it went back", async () => (await agent.functionStatus("patient")).state === "rolled-back", 300_000);
    const { hold } = await agent.functionStatus("patient");
    assert.match(hold?.reason ?? "", /^(\d\d) of \1 requests failed, 0 of 60 before$/);
    assert.equal((await agent.request("patient")).text, "one");
  } finally {
    await Promise.all([agent.stop(), repository.remove()]);
  }
});
