// D1: what a version does at its top level is done again where everybody is served, so that it must cost little.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createRepository, startAgent, type TestAgent, type TestRepository } from "./harness.js";
import { deploy, functionOf } from "./traffic.js";

let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([startAgent(), createRepository()]);
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
});

const answer = (text: string) => `export default { fetch: () => new Response(${JSON.stringify(text)}) };\n`;
/** Computes for more than a second at the top level; clocks stand still there, so that it counts. */
const slow = (text: string) =>
  `let x = 0;\nfor (let i = 0; i < 60_000_000; i++) x = (x + Math.sqrt(i)) % 7;\nglobalThis.x = x;\n${answer(text)}`;

/** Asks again and again until told to stop; answers what was not as it should be. */
function keepAsking(name: string): () => Promise<string[]> {
  const failures: string[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const text = await agent.request(name).then((answered) => answered.text, String);
      if (text !== name) failures.push(text);
    }
  })();
  return async () => {
    isOver = true;
    await asking;
    return failures;
  };
}

test("a top level that computes for a second is refused each time, and nobody else notices", async () => {
  await deploy(agent, repository, { ...functionOf("steady", answer("steady")), ...functionOf("slow", answer("fast")) });
  const stopAsking = keepAsking("steady");
  for (let round = 0; round < 2; round++) {
    await repository.commit(functionOf("slow", slow(`round ${round}`)));
    const { output } = await repository.push(agent);
    assert.match(output, /the top level (used|did not finish)/);
    assert.equal((await agent.functionStatus("slow")).error?.code, "ERR_LOAD");
    assert.equal((await agent.request("slow")).text, "fast");
  }
  assert.deepEqual(await stopAsking(), []);
  assert.equal((await agent.status()).runtime.restarts, 0);
});

test("two megabytes of code and five of text are no reason to refuse a version", async () => {
  const lines = Array.from(
    { length: 20_000 },
    (_, n) =>
      `export function f${n}(a, b) { const c = a + b * ${n}; return { c, name: "function number ${n}", list: [a, b, c] }; }`,
  );
  const code = `import * as all from "./all.js";\nimport text from "./text.txt";\nexport default { fetch: () => new Response(Object.keys(all).length + " " + text.length) };\n`;
  const files = {
    ...functionOf("slow", answer("fast")),
    ...functionOf("large", code),
    "large/all.js": lines.join("\n"),
    "large/text.txt": "text ".repeat(2 ** 20),
  };
  await deploy(agent, repository, files);
  assert.equal((await agent.request("large")).text, `20000 ${5 * 2 ** 20}`);
});
