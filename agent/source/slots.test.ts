import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createGitSlots, type Rank, type SlotsOptions } from "./slots.js";
import { until } from "./test-repository.js";

function places(options: SlotsOptions) {
  const slots = createGitSlots({ reserved: 0, ...options });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const signal = new AbortController().signal;
  return {
    begun,
    begin(name: string, place: { rank?: Rank; host?: string; signal?: AbortSignal } = {}): Promise<void> {
      return slots.run({ rank: "followed", host: name, signal, ...place }, () => {
        begun.push(name);
        return new Promise<void>((end) => ends.set(name, end));
      });
    },
    async end(name: string) {
      ends.get(name)!();
      await turn();
    },
  };
}

test("so many at once, and the others in the order in which they came", async () => {
  const { begin, begun, end } = places({ limit: 2 });
  for (const name of ["a", "b", "c", "d"]) void begin(name);
  await turn();
  assert.deepEqual(begun, ["a", "b"]);
  await end("b");
  assert.deepEqual(begun, ["a", "b", "c"]);
  await end("a");
  assert.deepEqual(begun, ["a", "b", "c", "d"]);
});

test("who is waited for goes first, has places of its own, and previews come last", async () => {
  const { begin, begun, end } = places({ limit: 1, reserved: 1 });
  void begin("poll");
  void begin("preview", { rank: "preview" });
  void begin("next poll");
  void begin("webhook", { rank: "asked" });
  void begin("person", { rank: "asked" });
  await turn();
  assert.deepEqual(begun, ["poll", "webhook"]);
  await end("webhook");
  await end("poll");
  await end("person");
  await end("next poll");
  assert.deepEqual(begun, ["poll", "webhook", "person", "next poll", "preview"]);
});

test("nobody waits for ever, whatever comes after", async () => {
  const clock = { now: 0 };
  const { begin, begun, end } = places({ limit: 1, now: () => clock.now });
  void begin("first");
  void begin("preview", { rank: "preview" });
  clock.now = 60_001;
  void begin("later poll");
  await turn();
  await end("first");
  assert.deepEqual(begun, ["first", "preview"]);
});

test("D4 a host that hangs keeps no place of the others, and none for longer than the patience", async () => {
  const { begin, begun } = places({ limit: 2, perHost: 1, patience: 20 });
  void begin("hangs", { host: "one" });
  void begin("hangs too", { host: "one" });
  void begin("another");
  await until(() => begun.length > 2);
  assert.deepEqual(begun, ["hangs", "another", "hangs too"]);
});

test("who gives up while waiting takes no place, and work that fails gives its back", async () => {
  const slots = createGitSlots({ limit: 1, reserved: 0 });
  const controller = new AbortController();
  const place = { rank: "followed", host: "", signal: controller.signal } as const;
  let fail = (_: Error) => {};
  const failing = slots.run(
    place,
    () =>
      new Promise<void>((_, reject) => {
        fail = reject;
      }),
  );
  const waiting = slots.run(place, async () => {});
  const third = slots.run({ ...place, signal: new AbortController().signal }, async () => "third");
  await turn();
  controller.abort(new Error("closing"));
  await assert.rejects(waiting, /closing/);
  fail(new Error("broken"));
  await assert.rejects(failing, /broken/);
  assert.equal(await third, "third");
});
