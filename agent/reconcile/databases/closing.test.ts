// What functions are kept out of, with a registry of a few rows and a runtime that remembers what it was told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClosing } from "./closing.js";
import type { ContentDeps } from "./content-context.js";

function open() {
  const removed = new Set<string>();
  const process = { life: 1, paused: new Set<string>(), onPause: async () => {} };
  const deps = {
    registry: { databases: { removed: () => [...removed].map((id) => ({ id, epoch: 1 })) } },
    runtimeLife: () => process.life,
    runtime: {
      async pause(objects: string[], on: boolean) {
        await process.onPause();
        for (const name of objects) on ? process.paused.add(name) : process.paused.delete(name);
      },
    },
  } as unknown as ContentDeps;
  const closing = createClosing({ deps, object: ({ id, epoch }) => `${id}.${epoch}` });
  const restart = () => {
    process.life++;
    process.paused = new Set(closing.atStart());
  };
  return { removed, process, closing, restart };
}

test("what is removed is closed until it is back, also in a process that starts meanwhile", async () => {
  const { removed, process, closing, restart } = open();
  removed.add("a");
  await closing.close();
  assert.deepEqual([...process.paused], ["a.1"]);
  restart();
  assert.deepEqual([...process.paused], ["a.1"]);
  removed.delete("a");
  await closing.reopen();
  assert.deepEqual([...process.paused], []);
});

test("the end of an import does not open what was removed meanwhile, nor does its return open what is imported into", async () => {
  const { removed, process, closing } = open();
  await closing.hold("a.1");
  removed.add("a");
  await closing.close();
  await closing.release("a.1");
  assert.deepEqual([...process.paused], ["a.1"]);
  await closing.hold("a.1");
  removed.delete("a");
  await closing.reopen();
  assert.deepEqual([...process.paused], ["a.1"]);
  await closing.release("a.1");
  assert.deepEqual([...process.paused], []);
});

test("a word that a process took to its end is said again to the next one", async () => {
  const { removed, process, closing, restart } = open();
  removed.add("a");
  let isFirst = true;
  process.onPause = async () => {
    if (!isFirst) return;
    isFirst = false;
    removed.delete("a");
    restart();
    removed.add("a");
    await Promise.reject(new Error("the process ended"));
  };
  await assert.rejects(closing.close());
  await closing.close();
  assert.deepEqual([...process.paused], ["a.1"]);
});
