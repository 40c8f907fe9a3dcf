import assert from "node:assert/strict";
import { test } from "node:test";
import { FUNCTION_STATES, type SourceHistory } from "../model.js";
import { functionStatus } from "./memory-platform.js";
import { explain, explainSource } from "./why.js";

const explained = (state: (typeof FUNCTION_STATES)[number]) => {
  const found = { ...functionStatus("hello", { state }), deployments: [], versions: [] };
  return explain({ function: found, holds: [], lastEvent: undefined });
};

test("names a command where one is the next step, and never a request", () => {
  for (const state of FUNCTION_STATES) {
    const { decision, rule, next } = explained(state);
    assert.ok(decision && rule && next, state);
    assert.doesNotMatch(next, /\bPOST\b|\/api\//, state);
  }
  assert.match(explained("quarantined").next, /wrkst resume hello/);
  assert.match(explained("removed").next, /wrkst restore hello/);
});

const source = { name: "default", repo: "embedded", branch: "main", path: "", lastFetch: null } as const;
const NOTHING = { functions: [], history: {} };

test("names when the next step comes by itself: the end of a hold, or the next attempt", () => {
  const hold = { alias: "*", kind: "suspension" as const, version: "v", author: "ann", createdAt: 1, expiresAt: 9 };
  const suspended = { ...functionStatus("hello", { state: "suspended" }), deployments: [], versions: [] };
  const why = explain({ function: suspended, holds: [{ ...hold, reason: "a fair" }], lastEvent: undefined });
  assert.equal(why.nextAt, 9);
  assert.match(why.decision, /ann: a fair/);
  for (const [code, nextAt] of [["ERR_TIMEOUT", 7] as const, ["ERR_BUNDLE", undefined] as const]) {
    const error = { code, message: "m" };
    const failed = { ...functionStatus("hello", { state: "failed", error }), deployments: [], versions: [] };
    const known = { function: failed, holds: [], lastEvent: undefined, history: { retryAt: 7 } };
    assert.equal(explain(known).nextAt, nextAt, code);
  }
});

test("explains a source in each of its states, and one that waits for a person's word", () => {
  for (const state of ["ready", "pending", "failed", "empty", "suspended"] as const) {
    const { decision, rule, next } = explainSource({ ...source, revision: null, state }, NOTHING);
    assert.ok(decision && rule && next, state);
  }
  const error = { code: "ERR_PRUNE_LIMIT" as const, message: "too many", hint: "wrkst sync --prune --wait" };
  const waiting = explainSource({ ...source, revision: null, state: "failed", error }, NOTHING);
  assert.deepEqual([waiting.next, waiting.nextAt], ["wrkst sync --prune --wait", undefined]);
  const unsigned = { code: "ERR_GIT_UNVERIFIED" as const, message: "not signed", hint: "sign it: git commit -S" };
  const refused = explainSource({ ...source, revision: null, state: "failed", error: unsigned }, NOTHING);
  assert.match(refused.rule, /signed/);
  assert.equal(refused.next, unsigned.hint);
  const unreachable = { code: "ERR_GIT_UNREACHABLE" as const, message: "no route" };
  const history = { retryAt: 7 };
  const failed = { ...source, revision: null, state: "failed" as const, error: unreachable };
  assert.equal(explainSource(failed, { functions: [], history }).nextAt, 7);
});

test("says when a repository is looked at again, and who suspended it until when", () => {
  const ready = { ...source, revision: null, state: "ready" as const };
  assert.equal(explainSource(ready, NOTHING).nextAt, undefined, "only pushes, webhooks and syncs");
  assert.equal(explainSource(ready, { functions: [], history: { looksAt: 5 } }).nextAt, 5);
  const suspension = { author: "ann", reason: "a fair", createdAt: 1, expiresAt: 9 };
  const suspended = { ...source, revision: null, state: "suspended" as const };
  const why = explainSource(suspended, { functions: [], history: { suspension, looksAt: 5 } });
  assert.equal(why.nextAt, 9);
  assert.match(why.decision, /ann: a fair/);
});

test("claims of no function that the newest revision serves while its source is refused, unreachable or suspended", () => {
  const found = { ...functionStatus("hello", { state: "ready", source: "shop" }), deployments: [], versions: [] };
  const why = (history: SourceHistory) => explain({ function: found, holds: [], lastEvent: undefined, history });
  assert.match(why({ looksAt: 5 }).decision, /newest revision serves/);
  assert.equal(why({ looksAt: 5 }).nextAt, 5);
  const error = { code: "ERR_GIT_UNVERIFIED" as const, message: "nobody signed it", hint: "sign it" };
  const refused = why({ error, looksAt: 5 });
  assert.match(refused.decision, /served before/);
  assert.match(refused.rule, /"shop" failed \(nobody signed it\)/);
  assert.equal(refused.next, "sign it");
  const suspended = why({ suspension: { author: "ann", createdAt: 1, expiresAt: 9 } });
  assert.match(suspended.rule, /suspended, by ann/);
  assert.deepEqual([suspended.next, suspended.nextAt], ["resume it: wrkst source resume shop", 9]);
});
