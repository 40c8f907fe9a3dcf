// A function that logs without measure costs its neighbours next to nothing, and the agent's log little (DESIGN.md §12.4).
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRepository, startAgent } from "./harness.js";
import { deploy, functionOf } from "./traffic.js";

const LOUD = `const text = "x".repeat(100);
const rows = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => ["k" + n, Array(100).fill({ text })]));
export default {
  fetch() {
    for (let i = 0; i < 1_000_000; i++) console.log(text);
    for (let i = 0; i < 10; i++) console.log(rows);
    return new Response("said");
  },
};
`;

test("100 MB of messages and objects beyond measure neither end the runtime nor fill the log", async (t) => {
  const [agent, repository] = await Promise.all([startAgent(), createRepository()]);
  t.after(() => Promise.all([agent.stop(), repository.remove()]));
  const calm = functionOf("calm", 'export default { fetch() { return new Response("calm"); } };\n');
  await deploy(agent, repository, { ...functionOf("loud", LOUD), ...calm });
  const { pid } = (await agent.status()).runtime;
  const before = agent.output().length;
  const loud = agent.request("loud");
  for (let n = 0; n < 20; n++) assert.equal((await agent.request("calm")).text, "calm");
  assert.equal((await loud).text, "said");
  const { runtime } = await agent.status();
  assert.deepEqual([runtime.pid, runtime.restarts], [pid, 0]);
  assert.ok(agent.output().length - before < 2 ** 20, `${agent.output().length - before} characters in the log`);
});
