import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { Io } from "./io.js";
import { askSecret, confirm, Interrupted } from "./prompt.js";

function terminal(keys: string) {
  const raw: boolean[] = [];
  let shown = "";
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (on: boolean) => {
      raw.push(on);
      if (on) input.write(keys);
    },
  });
  const err = (text: string) => {
    shown += text;
  };
  const io = { input, err, signal: new AbortController().signal } as unknown as Io;
  return { io, raw, shown: () => shown };
}

test("reads a secret without showing it, and gives the terminal back", async () => {
  const { io, raw, shown } = terminal("wrong\x7f\x7f\x7f\x7f\x7fs3crét\r");
  assert.equal(await askSecret("value: ", io), "s3crét");
  assert.equal(shown(), "value: \n");
  assert.deepEqual(raw, [true, false]);
});

test("ends at Ctrl-C, and gives the terminal back", async () => {
  const { io, raw } = terminal("half\x03");
  await assert.rejects(askSecret("value: ", io), Interrupted);
  assert.deepEqual(raw, [true, false]);
});

for (const [keys, agreed] of [
  ["y\r", true],
  ["Yes\n", true],
  ["\r", false],
  ["n\r", false],
  ["yx\b\r", true],
] as const) {
  test(`takes ${JSON.stringify(keys)} as ${agreed ? "yes" : "no"}`, async () => {
    assert.equal(await confirm("really?", terminal(keys).io), agreed);
  });
}
