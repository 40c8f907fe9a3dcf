// Databases in `env`, in a real workerd: which objects functions find there, and where.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startServing } from "../testing/workerd.js";

const serving = await startServing({ after });

const ask = async (name: string, path = "/") => {
  const { status, text } = await serving.get(`${name}.base.test`, path);
  assert.equal(status, 200, text);
  return JSON.parse(text) as unknown;
};

test("handlers, entry point classes and the module scope find the same databases, of workerd's class, and nothing else of ours", async () => {
  const look = `const look = (env) => [Object.keys(env).sort(), env.D1 === importable.D1, env.D1 !== env.constructor,
    [env.D1, env.constructor].map((database) => database.constructor.name), JSON.stringify(env)];`;
  const imports = `import { env as importable, WorkerEntrypoint } from "cloudflare:workers"; const early = Object.keys(importable).sort();`;
  const use = `Response.json([early, look(ENV), await ENV.D1.prepare("SELECT 1 AS one").first("one")])`;
  await serving.deploy(
    {
      object: `${imports}${look} export default { async fetch(request, env) { return ${use.replaceAll("ENV", "env")}; } };`,
      class: `${imports}${look} export default class extends WorkerEntrypoint { async fetch() { return ${use.replaceAll("ENV", "this.env")}; } };`,
    },
    { vars: { A: 1 }, databases: { D1: "a.1", constructor: "b.1", toString: "b.1" } },
  );
  const names = ["A", "D1", "constructor", "toString"];
  for (const name of ["object", "class"]) {
    const classes = ["D1Database", "D1Database"];
    const [early, [keys, isSame, areTwo, found, text], one] = (await ask(name)) as [string[], unknown[], number];
    assert.deepEqual([early, keys, isSame, areTwo, found, one], [names, names, true, true, classes, 1]);
    assert.doesNotMatch(String(text), /a\.1|b\.1/);
  }
});
