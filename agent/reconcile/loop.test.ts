import assert from "node:assert/strict";
import { test } from "node:test";
import { WrkstError } from "../errors.js";
import type { PassReport } from "../model.js";
import { fc } from "../test-properties.js";
import { Loop, type PassRun } from "./loop.js";

function report(commit: string, extra: Partial<PassReport> = {}): PassReport {
  return {
    source: "default",
    from: null,
    to: commit,
    result: "switched",
    functions: [],
    phases: {},
    milliseconds: 0,
    ...extra,
  };
}

/** A source whose head is a number, and passes that end when told. */
function stage(options: { fail?: (pass: number) => WrkstError | undefined } = {}) {
  const state = { head: 0, passes: 0, served: [] as number[], log: [] as PassReport[], timers: [] as (() => void)[] };
  const gates: (() => void)[] = [];
  const loop = new Loop({
    source: "default",
    peek: async () => String(state.head),
    log: (entry) => state.log.push(entry),
    setTimer: (_, fire) => {
      state.timers.push(fire);
      return { cancel: () => {} };
    },
    run: async (pass: PassRun) => {
      const number = ++state.passes;
      const commit = state.head;
      pass.observe({
        kind: "planned",
        revision: { source: "default", branch: "main", commit: String(commit) },
        changed: 1,
        unchanged: 0,
        removed: 0,
      });
      await new Promise<void>((resolve, reject) => {
        gates.push(resolve);
        pass.signal.addEventListener("abort", () => reject(pass.signal.reason));
      });
      const error = options.fail?.(number);
      if (error) throw error;
      pass.commit();
      state.served.push(commit);
      return report(String(commit));
    },
  });
  const finish = async () => {
    await settle();
    gates.pop()?.();
    await settle();
  };
  return { loop, state, finish };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test("a wake-up during a pass causes exactly one more pass", async () => {
  const { loop, state, finish } = stage();
  loop.wake();
  await settle();
  for (let i = 0; i < 5; i++) loop.wake();
  await finish();
  await finish();
  assert.equal(state.passes, 2);
  await loop.close();
});

test("a newer revision ends the pass of the older one", async () => {
  const { loop, state, finish } = stage();
  loop.wake();
  await settle();
  state.head = 1;
  loop.wake();
  await settle();
  await finish();
  assert.deepEqual(state.served, [1]);
  assert.equal(state.log[0]?.result, "superseded");
  await loop.close();
});

test("a pusher hears at once that a newer push took over, a sync waits for the end", async () => {
  const { loop, state, finish } = stage();
  const push = loop.sync({ untilSettled: false });
  const wait = loop.sync();
  await finish();
  await finish();
  await Promise.all([push, wait]);
  const first = loop.sync({ untilSettled: false });
  const patient = loop.sync();
  await settle();
  state.head = 2;
  loop.wake();
  assert.equal((await first).result, "superseded");
  await finish();
  assert.equal((await patient).to, "2");
  await loop.close();
});

test("a failure that passes is retried, one that waits for a person is not", async () => {
  for (const [code, retries] of [
    ["ERR_GIT_UNREACHABLE", 1],
    ["ERR_GIT_AUTH", 0],
  ] as const) {
    const { loop, state, finish } = stage({ fail: () => new WrkstError(code, "no") });
    loop.wake();
    await finish();
    assert.equal(state.timers.length, retries, code);
    await loop.close();
  }
});

test("close ends a running pass and answers who waits", async () => {
  const { loop } = stage();
  const waiting = loop.sync();
  await settle();
  await loop.close();
  assert.equal((await waiting).result, "superseded");
  await assert.rejects(loop.sync(), { code: "ERR_SUPERSEDED" });
});

test("a push whose commit a pass handles already, or has just handled, gets the answer of that pass with all it told", async () => {
  const { loop, state, finish } = stage();
  loop.wake();
  await settle();
  const heard: string[] = [];
  const early = loop.sync({ commit: "0", observe: ({ kind }) => heard.push(kind) });
  await finish();
  assert.equal((await early).to, "0");
  const late = await loop.sync({ commit: "0", observe: ({ kind }) => heard.push(kind) });
  assert.equal(late.to, "0");
  assert.deepEqual([state.passes, heard], [1, ["planned", "planned"]]);
  state.head = 1;
  const next = loop.sync({ commit: "1" });
  await finish();
  assert.equal((await next).to, "1");
  await loop.close();
});

test("in any storm the newest revision ends up serving and nothing older follows something newer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("push", "finish", "turn"), { maxLength: 60 }), async (actions) => {
      const { loop, state, finish } = stage();
      for (const action of actions) {
        if (action === "push") {
          state.head++;
          loop.wake();
        } else if (action === "finish") await finish();
        else await settle();
      }
      loop.wake();
      while (state.served.at(-1) !== state.head) await finish();
      assert.deepEqual(
        state.served,
        [...state.served].sort((a, b) => a - b),
      );
      await loop.close();
    }),
    { numRuns: 50 },
  );
});

test("a push that joins a pass which looked before the push was there gets a pass of its own", async () => {
  let runs = 0;
  let look: () => void = () => {};
  const looked = new Promise<void>((resolve) => {
    look = resolve;
  });
  const loop = new Loop({
    source: "default",
    peek: async () => "1",
    log: () => undefined,
    run: async (pass: PassRun) => {
      if (++runs > 1) {
        pass.commit();
        return report("1");
      }
      await looked;
      throw new WrkstError("ERR_GIT_NO_BRANCH", "there is no branch yet");
    },
  });
  loop.wake();
  const pushed = loop.sync({ commit: "1" });
  look();
  const { to, result } = await pushed;
  assert.deepEqual([runs, to, result], [2, "1", "switched"]);
  await loop.close();
});
