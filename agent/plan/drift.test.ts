import assert from "node:assert/strict";
import { test } from "node:test";
import { FUNCTION_STATES, type FunctionStatus } from "../model.js";
import { countDrift, driftOf } from "./drift.js";

const status = (more: Partial<FunctionStatus>): Parameters<typeof driftOf>[0] => ({
  ...{ state: "ready", source: "default" },
  ...more,
});

test("every state of a declared function but ready is drift with a reason", () => {
  for (const state of FUNCTION_STATES) {
    const drift = driftOf(status({ state }));
    if (state === "ready") assert.equal(drift, undefined);
    else assert.deepEqual([drift?.reason, typeof drift?.because], [state, "string"], state);
  }
});

test("a function that no source declares never differs from git", () => {
  assert.equal(driftOf(status({ state: "failed", source: null })), undefined);
});

test("drift names who, why and until when, as far as that is known", () => {
  const hold = { alias: "latest", kind: "pin" as const, version: "1a2b3c4d-0", author: "ann", createdAt: 1 };
  assert.equal(driftOf(status({ state: "pinned", hold }))?.because, "held at 1a2b3c4d by ann");
  const expiring = { ...hold, reason: "a fair", expiresAt: 0 };
  assert.equal(
    driftOf(status({ state: "pinned", hold: expiring }))?.because,
    "held at 1a2b3c4d by ann until 1970-01-01T00:00:00.000Z: a fair",
  );
  const suspension = { author: "bob", createdAt: 1, reason: "looking" };
  assert.equal(driftOf(status({ state: "suspended", suspension }))?.because, "suspended by bob: looking");
  const error = { code: "ERR_BUNDLE" as const, message: "expected a semicolon" };
  assert.equal(driftOf(status({ state: "failed", error }))?.because, "expected a semicolon");
});

test("drift is counted by reason", () => {
  const states = ["pinned", "ready", "failed", "pinned"] as const;
  assert.deepEqual(countDrift(states.map((state) => ({ ...status({ state }) }))), { pinned: 2, failed: 1 });
  assert.deepEqual(countDrift([]), {});
});
