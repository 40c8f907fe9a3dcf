import assert from "node:assert/strict";
import { test } from "node:test";
import { createTurns } from "./turns.js";

test("one works at a time for each name, alone waits for all, and a failure keeps nobody waiting", async () => {
  const turns = createTurns();
  const log: string[] = [];
  const work = (name: string) => async () => {
    log.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`${name} ends`);
  };
  const failing = turns.of("a", async () => {
    log.push("a fails");
    throw new Error("no");
  });
  const all = [turns.of("a", work("a1")), turns.of("b", work("b1")), turns.of("a", work("a2"))];
  all.push(turns.alone(work("alone")), turns.of("b", work("b2")));
  await assert.rejects(failing, /no/);
  await Promise.all(all);
  const at = (entry: string) => log.indexOf(entry);
  assert.ok(at("a fails") < at("a1 begins") && at("a1 ends") < at("a2 begins"));
  assert.ok(at("b1 begins") < at("a1 ends"), "names wait for each other");
  assert.ok(at("a2 ends") < at("alone begins") && at("b1 ends") < at("alone begins"));
  assert.ok(at("alone ends") < at("b2 begins"));
});
