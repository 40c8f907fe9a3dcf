// Calls of functions in a ward, and whom the statements of all functions count for, in a real workerd.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import { entryOf, startServing, until } from "../testing/workerd.js";
import { TRACE_PREFIX, type TraceLine } from "../wire.js";
import { createCalls } from "./calls.js";
import { D1_CONTROL } from "./wire.js";

const KEEPER = `export default { async fetch(request, { DB }, context) {
  const { pathname } = new URL(request.url);
  if (pathname === "/leave") { for (let i = 0; i < 20; i++) DB.prepare("SELECT 1").first().catch(() => {}); return Response.json("left"); }
  if (pathname === "/slow") return Response.json(await DB.prepare("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n").first().catch((error) => error.message));
  await DB.exec("CREATE TABLE IF NOT EXISTS kept (text)");
  if (request.method === "POST") await DB.prepare("INSERT INTO kept VALUES (?)").bind(await request.text()).run();
  return Response.json((await DB.prepare("SELECT text FROM kept").raw()).flat());
} };`;

const serving = await startServing({ after });
const [keeper, one, other] = [
  await serving.version(KEEPER, { databases: { DB: "kept.1" } }),
  await serving.version(KEEPER, { databases: { DB: "shared.1" } }),
  await serving.version(KEEPER, { databases: { DB: "shared.1" } }),
];
await serving.publish({ keeper, one, other });
const functions = { keeper: entryOf(keeper), one: entryOf(one), other: entryOf(other) };
const ward = await serving.startWard({ generation: 1, functions, revisions: [] });

/** What the serving process tells while the work is done, without what belongs to requests to functions that it serves itself. */
async function told(work: () => Promise<unknown>): Promise<TraceLine[]> {
  const key = crypto.randomUUID();
  await serving.control("/trace", { on: true, key });
  await work();
  const lines = () =>
    serving.stdout
      .filter((line) => line.startsWith(TRACE_PREFIX))
      .map((line) => JSON.parse(line.slice(TRACE_PREFIX.length)) as TraceLine)
      .filter((line) => line.key === key);
  const depth = (found: TraceLine[]) =>
    found.reduce((sum, line) => sum + ("enter" in line ? 1 : "exit" in line ? -1 : 0), 0);
  await until(() => lines().length > 0 && depth(lines()) === 0, "all that was in flight is over");
  await serving.control("/trace", { on: false, key });
  return lines();
}

const sendersIn = (lines: TraceLine[]) => [
  ...new Set(lines.flatMap((line) => ("statement" in line && line.statement ? [line.statement.join()] : []))),
];
const entered = (lines: TraceLine[]) => [...new Set(lines.flatMap((line) => ("enter" in line ? [line.enter] : [])))];

test("a function in a ward reads and writes the same database as outside of it", async () => {
  const outside = await serving.get("keeper.base.test", "/", { body: "outside" });
  assert.equal(outside.text, '["outside"]');
  assert.equal((await ward.get("keeper.base.test", "/", { body: "inside" })).text, '["outside","inside"]');
  assert.equal((await serving.get("keeper.base.test")).text, '["outside","inside"]');
});

test("a statement counts for the function that sent it from a ward, in its database and in a shared one", async () => {
  for (const [name, other] of [["keeper"], ["one", "other"]] as const) {
    if (other) await serving.get(`${other}.base.test`);
    const lines = await told(() => ward.get(`${name}.base.test`));
    assert.deepEqual([sendersIn(lines), entered(lines)], [[name], [name]]);
  }
});

test("a statement counts for all that hold the object of its database, and those of the agent for nobody, or for whom it says", async () => {
  await Promise.all(["one", "other", "keeper"].map((name) => serving.get(`${name}.base.test`)));
  assert.deepEqual(sendersIn(await told(() => serving.get("one.base.test"))), ["one,other"]);
  assert.deepEqual(sendersIn(await told(() => serving.get("keeper.base.test"))), ["keeper"]);
  const statements = [{ sql: "SELECT 1" }];
  const lines = await told(async () => {
    await serving.control(D1_CONTROL.call, { object: "kept.1", statements });
    await serving.control(D1_CONTROL.script, { object: "kept.1", sql: "SELECT 1", sender: "other" });
    await serving.get("one.base.test");
  });
  assert.deepEqual(sendersIn(lines), ["", "other", "one,other"]);
});

test("a call that an object hands on to its successor counts for all that hold the object", () => {
  const calls = createCalls();
  for (const name of ["b", "a"]) calls.give(name, "x.1");
  calls.inherit("x.1", "x.2");
  assert.deepEqual(calls.sendersOf("x.2", new Request("http://d1/query")), ["a", "b"]);
});

test("calls that nobody waits for any more are told to be over, too", async () => {
  for (const place of [serving, ward]) {
    const lines = await told(async () => {
      const answers = Array.from({ length: 5 }, () => place.get("keeper.base.test", "/leave"));
      for (const answer of await Promise.all(answers)) assert.equal(answer.text, '"left"');
      await place.get("keeper.base.test");
    });
    assert.deepEqual(sendersIn(lines), ["keeper"]);
    assert.equal(lines.findLast((line) => "statement" in line && line.statement)! === lines.at(-1), false);
  }
});

test("a function in a ward is told when the process of the databases goes away, and goes on when it is back", async () => {
  await serving.control("/trace", { on: true, key: "slow" });
  const slow = ward.get("keeper.base.test", "/slow");
  await until(
    () => serving.stdout.some((line) => line.includes('"slow","statement":["keeper"]')),
    "the statement runs",
  );
  const end = once(serving.child, "close");
  serving.child.kill("SIGKILL");
  const lost = JSON.stringify("D1_ERROR: Network connection lost.");
  assert.equal((await slow).text, lost);
  await end;
  assert.equal((await ward.get("keeper.base.test", "/slow")).text, lost);
  await serving.restart();
  assert.equal((await ward.get("keeper.base.test")).text, '["outside","inside"]');
});
