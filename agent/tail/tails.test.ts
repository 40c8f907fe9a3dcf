import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createHub } from "./hub.js";
import { createTails, type TailSocket } from "./tails.js";

function openTails(times: { patience?: number; life?: number }) {
  const hub = createHub({
    ...{ onHeard: async () => undefined, keep: () => undefined, now: Date.now, chance: () => 0 },
    placesOf: async () => (message) => ({ message }),
  });
  return { hub, tails: createTails({ hub, now: Date.now, ...times }) };
}

const OPTIONS = { filters: [], address: "192.0.2.7", mayStay: async () => true };

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

test("forgets a tail that nobody opens", async () => {
  const { hub, tails } = openTails({ patience: 20 });
  const { id, secret } = await tails.create("hello", OPTIONS);
  await until(() => tails.list("hello").length === 0);
  assert.equal(
    tails.open(id, secret, () => assert.fail("it is gone")),
    undefined,
  );
  assert.deepEqual(hub.heard(), []);
});

test("closes a tail at the end of its life", async () => {
  const { hub, tails } = openTails({ life: 40 });
  const { id, secret } = await tails.create("hello", OPTIONS);
  let isClosed = false;
  const socket: TailSocket = {
    send: () => undefined,
    close: () => {
      isClosed = true;
    },
  };
  assert.ok(tails.open(id, secret, () => socket));
  assert.deepEqual(hub.heard(), ["hello"]);
  await until(() => isClosed);
  assert.deepEqual([tails.list("hello"), hub.heard()], [[], []]);
});

test("removes a tail only under its function's name", async () => {
  const { tails } = openTails({});
  const { id } = await tails.create("hello", OPTIONS);
  assert.equal(tails.remove("other", id), false);
  assert.equal(tails.remove("hello", id), true);
});
