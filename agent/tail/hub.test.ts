import assert from "node:assert/strict";
import { test } from "node:test";
import type { TailEvent } from "../model.js";
import type { NewKeptLog } from "./describe.js";
import { createHub, type Listener, MAX_LISTENERS } from "./hub.js";
import { invocationLine, VERSION } from "./testing.js";

function openHub() {
  const told: string[][] = [];
  const kept: [string, NewKeptLog[]][] = [];
  const hub = createHub({
    onHeard: async (functions) => void told.push(functions),
    keep: (name, logs) => logs.length && kept.push([name, logs]),
    placesOf: async (version) => (text) => ({
      message: text.replaceAll("index.js:1:1", `src/${version.slice(0, 4)}.ts:7:1`),
      position: { file: "src/a.ts", line: 7, column: 1 },
    }),
    ...{ now: () => 5, chance: () => 0.5 },
  });
  const listener = (more: Partial<Listener> = {}) => {
    const heard: TailEvent[] = [];
    const send = (event: TailEvent) => void heard.push(event);
    return {
      heard,
      ...{ filters: [], address: "192.0.2.7", send, end: () => undefined, mayStay: async () => true, ...more },
    };
  };
  return { hub, told, kept, listener };
}

const THROWN = {
  name: "TypeError",
  message: "no luck",
  timestamp: 9,
  stack: "    at f (index.js:1:1)\n    at g (__wrkst_prelude.js:2:2)",
};

test("tells the runtime whom it listens to, and that it does no longer", async () => {
  const { hub, told, listener } = openHub();
  const first = hub.listen("b", listener());
  const second = hub.listen("b", listener());
  hub.observe(["a", "b"]);
  first();
  second();
  second();
  hub.observe([]);
  await hub.settled();
  assert.deepEqual(told, [["b"], ["a", "b"], []]);
});

test("sends an event to those who listen to its function and whose filters hold", async () => {
  const { hub, listener } = openHub();
  const all = listener();
  const errors = listener({ filters: [{ outcome: ["exception"] }] });
  const other = listener();
  hub.listen("hello", all);
  hub.listen("hello", errors);
  hub.listen("other", other);
  await hub.take(invocationLine());
  await hub.take(invocationLine({ outcome: "exception", exceptions: [THROWN] }));
  assert.deepEqual([all.heard.length, errors.heard.length, other.heard.length], [2, 1, 0]);
  assert.deepEqual(errors.heard[0]?.exceptions, [
    { ...THROWN, stack: "    at f (src/1111.ts:7:1)", position: { file: "src/a.ts", line: 7, column: 1 } },
  ]);
  assert.deepEqual(errors.heard[0]?.scriptVersion, { id: VERSION });
});

test("keeps exceptions always, and what was said only of observed functions", async () => {
  const { hub, kept } = openHub();
  const logs = [{ level: "log", timestamp: 8, message: ["pears: %d", 3, { of: "many" }] }];
  const asked = { method: "GET", path: "/a" };
  await hub.take(invocationLine({ logs }));
  await hub.take({ kind: "threw", function: "hello", version: VERSION, request: "r", asked, exception: THROWN });
  hub.observe(["hello"]);
  await hub.take(invocationLine({ logs, exceptions: [THROWN], request: "q" }));
  const words = kept.map(([name, lines]) => [name, lines.map(({ kind, message }) => `${kind} ${message}`)]);
  assert.deepEqual(words, [
    ["hello", ["exception TypeError: no luck"]],
    ["hello", ["log pears: 3 { of: 'many' }", "exception TypeError: no luck"]],
  ]);
  const [first, second] = kept.map(([, lines]) => lines.at(-1));
  assert.deepEqual([first?.request, first?.method, first?.path], ["r", "GET", "/a"]);
  assert.deepEqual([second?.request, second?.method, second?.path], ["q", "GET", "/a"]);
});

test("tells listeners that events were lost, whatever they filter", async () => {
  const { hub, listener } = openHub();
  const picky = listener({ filters: [{ method: ["DELETE"] }] });
  hub.listen("hello", picky);
  await hub.take({ kind: "lost", function: "hello", count: 12 });
  const [notice] = picky.heard;
  assert.ok(notice?.event && "type" in notice.event);
  assert.equal(notice.event.type, "overload");
  assert.match(notice.event.message, /12 events of "hello"/);
});

test("lets only so many listen to one function", () => {
  const { hub, listener } = openHub();
  const stops = Array.from({ length: MAX_LISTENERS }, () => hub.listen("hello", listener()));
  assert.throws(() => hub.listen("hello", listener()), { code: "ERR_CONFLICT" });
  hub.listen("other", listener());
  stops[0]!();
  hub.listen("hello", listener());
});

test("A5 ends those who may not listen any more, and nobody else", async () => {
  const { hub, listener } = openHub();
  const ended: string[] = [];
  hub.listen("hello", listener({ end: () => void ended.push("stays") }));
  hub.listen("hello", listener({ end: () => void ended.push("goes"), mayStay: async () => false }));
  await hub.check();
  assert.deepEqual(ended, ["goes"]);
});
