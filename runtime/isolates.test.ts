import assert from "node:assert/strict";
import { test } from "node:test";
import { createIsolates, type Slot } from "./isolates.js";
import type { VersionSpec } from "./wire.js";

const SPEC: VersionSpec = {
  id: "v",
  artifact: "a",
  compatibilityDate: "2026-08-01",
  compatibilityFlags: [],
  vars: {},
  entrypoints: ["default"],
  egress: "public",
  generation: 0,
};
const keep = () => {};

function isolatesFor(options: { max?: number; load?: (slot: Slot) => Promise<void> } = {}) {
  let time = 0;
  const unloaded: string[] = [];
  const isolates = createIsolates({
    max: options.max ?? 10,
    answersOf: () => [],
    load: options.load ?? (async () => {}),
    unload: async (function_) => void unloaded.push(function_),
    now: () => time,
  });
  return { isolates, unloaded, advance: (milliseconds: number) => (time += milliseconds) };
}

test("all who wait share one load, and one isolate afterwards", async () => {
  const { isolates } = isolatesFor();
  const slot = isolates.slot("f", SPEC);
  assert.equal(isolates.slot("f", { ...SPEC }), slot);
  await Promise.all([isolates.load(slot, keep), isolates.load(slot, keep)]);
  await isolates.load(slot, keep);
  assert.deepEqual([isolates.coldLoads, isolates.loaded], [1, 1]);
});

test("a failed load is not repeated before its pause is over, then under a new name, and the pause grows", async () => {
  const names = new Set<string>();
  const { isolates, advance } = isolatesFor({
    load: async (slot) => {
      names.add(slot.id);
      throw new Error("no");
    },
  });
  const slot = isolates.slot("f", SPEC);
  const attempt = () => assert.rejects(isolates.load(slot, keep), /no/);
  await attempt();
  await attempt();
  advance(250);
  await attempt();
  advance(250);
  await attempt();
  assert.equal(isolates.coldLoads, 2);
  advance(250);
  await attempt();
  assert.equal(isolates.coldLoads, 3);
  assert.equal(names.size, 3);
});

test("the least recently used idle isolate goes first, a busy one only when it has become idle", async () => {
  const { isolates, unloaded } = isolatesFor({ max: 2 });
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => isolates.slot(name, SPEC)) as [Slot, Slot, Slot, Slot];
  for (const slot of [a, b]) await isolates.load(slot, keep);
  a.inFlight++;
  await isolates.load(c, keep);
  assert.deepEqual(unloaded, ["b"]);
  c.inFlight++;
  isolates.use(a);
  await isolates.load(d, keep);
  assert.deepEqual([unloaded, isolates.loaded, isolates.isOver], [["b"], 3, true]);
  c.inFlight--;
  isolates.makeRoom(keep);
  assert.deepEqual([unloaded, isolates.isOver], [["b", "c"], false]);
});

test("an evicted version is loaded again under a new name", async () => {
  const { isolates } = isolatesFor();
  const slot = isolates.slot("f", SPEC);
  await isolates.load(slot, keep);
  const { id } = slot;
  isolates.evictWhere(() => true, keep);
  assert.deepEqual([slot.isLoaded, isolates.loaded, isolates.evictions], [false, 0, 1]);
  const again = isolates.slot("f", SPEC);
  await isolates.load(again, keep);
  assert.notEqual(again.id, id);
});
