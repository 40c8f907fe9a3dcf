import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { TailLine } from "../../runtime/wire.js";
import { createHearing } from "./hearing.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const text = (name: string) => `${JSON.stringify({ kind: "lost", function: name, count: 1 })}\n`;

/** A process as far as it is heard. */
function speaker() {
  const streams: { functions: string[]; stream: PassThrough }[] = [];
  const told: string[][] = [];
  return {
    streams,
    told,
    async tail(functions: string[]) {
      const stream = new PassThrough();
      streams.push({ functions, stream });
      return stream as unknown as IncomingMessage;
    },
    async listen(functions: string[]) {
      told.push(functions);
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

test("hears several processes, tells each whom it listens to, and opens a stream that broke again", async () => {
  const heard: string[] = [];
  const hearing = createHearing({ log: silent, onLine: async ({ function: name }) => void heard.push(name) });
  const [one, two] = [speaker(), speaker()];
  const detach = hearing.attach(one);
  hearing.attach(two);
  await hearing.listen(["a"]);
  assert.deepEqual([one.told, two.told], [[["a"]], [["a"]]]);
  one.streams[0]!.stream.write(`\n${text("x").slice(0, 10)}`);
  one.streams[0]!.stream.write(`${text("x").slice(10)}${text("y")}`);
  two.streams[0]!.stream.write(text("z"));
  await until(() => heard.length === 3);
  assert.deepEqual(heard.sort(), ["x", "y", "z"]);
  one.streams[0]!.stream.end();
  await until(() => one.streams.length === 2);
  assert.deepEqual(one.streams[1]!.functions, ["a"]);
  detach();
  await hearing.listen(["b"]);
  assert.deepEqual([one.told, two.told], [[["a"]], [["a"], ["b"]]]);
  assert.ok(one.streams[1]!.stream.destroyed);
});

test("asks for a line only when the one before was dealt with", async () => {
  const lines: TailLine[] = [];
  const waiting: (() => void)[] = [];
  const onLine = async (line: TailLine) => {
    lines.push(line);
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const one = speaker();
  createHearing({ log: silent, onLine }).attach(one);
  await until(() => one.streams.length === 1);
  one.streams[0]!.stream.write(text("a") + text("b"));
  await until(() => lines.length === 1);
  waiting.shift()!();
  await until(() => lines.length === 2);
});
