import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { RuntimeFigures } from "../../../runtime/wire.js";
import { AUTO_ROLLBACK, type Figures } from "../../model.js";
import { manifestOf, newRegistry, push, version } from "../../store/test-registry.js";
import { createTrials } from "./index.js";

const of = (requests: number, failures = 0): Figures => ({ requests, failures, buckets: [requests] });
const told = (figures: Figures) => ({ total: figures, recent: figures });

/** `hello@b` on trial against `hello@a`; resolves with what was done first. */
function conduct(t: TestContext, figures: () => RuntimeFigures[], prepare: (registry: Registry) => void = () => {}) {
  const { registry } = newRegistry(t);
  const autoRollback = AUTO_ROLLBACK;
  for (const label of ["a", "b"]) {
    push(
      registry,
      `c${label}`,
      { hello: label },
      { versions: [version("hello", label, { manifest: manifestOf("hello", { autoRollback }) })] },
    );
  }
  prepare(registry);
  return new Promise<string>((resolve) => {
    const moves = {
      goBack: async (_id: string, _trial: unknown, reason: string) => resolve(`back: ${reason}`),
      advance: async () => resolve("on"),
      pass: async () => resolve("passed"),
    };
    const runtime = { figures: async () => figures() };
    const trials = createTrials({
      registry,
      runtime,
      moves,
      log: { warn() {} },
      now: () => 1_000_000_000_000,
      interval: 1,
    });
    t.after(() => trials.close());
    trials.look();
  });
}
type Registry = ReturnType<typeof newRegistry>["registry"];

const answer = (b: Figures): RuntimeFigures[] => [
  { process: "one", functions: { hello: { "hello@a": told(of(500)), "hello@b": told(b) } } },
];

test("figures are asked for until they prove something, also where the runtime does not answer at first", async (t) => {
  let asked = 0;
  const done = await conduct(t, () => {
    asked++;
    if (asked === 1) throw new Error("the runtime is being restarted");
    return answer(asked < 4 ? of(asked) : of(60, 34));
  });
  assert.equal(done, "back: 34 of 60 requests failed, 0 of 500 before");
});

test("a trial is over after enough requests", async (t) => {
  assert.equal(await conduct(t, () => answer(of(500, 1))), "passed");
});

test("a version that is quarantined while on trial goes back, whatever its figures", async (t) => {
  const done = await conduct(
    t,
    () => [],
    (registry) =>
      registry.setFunctionState("hello", "quarantined", { code: "ERR_RUNTIME", message: "it stopped the runtime" }),
  );
  assert.equal(done, "back: it stopped the runtime");
});

test("nothing of a suspended function moves until it is resumed", async (t) => {
  let asked = 0;
  let registry: Registry | undefined;
  const by = { name: "ann", email: null, credential: "api-token:1", address: "" };
  const change = { account: "main", name: "hello", cause: "api" as const, by, events: [] };
  const hold = { alias: "*", kind: "suspension" as const, version: "hello@b" };
  const done = await conduct(
    t,
    () => {
      if (++asked === 5) registry?.applyDirect({ ...change, releases: ["*"] });
      return answer(of(60, 34));
    },
    (opened) => {
      registry = opened;
      opened.applyDirect({ ...change, holds: [hold] });
    },
  );
  assert.ok(asked >= 5 && done.startsWith("back"), `${asked} ${done}`);
});
