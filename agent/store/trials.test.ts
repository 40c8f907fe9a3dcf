import assert from "node:assert/strict";
import { test } from "node:test";
import type { Actor, Manifest } from "../model.js";
import type { Registry } from "./registry.js";
import { manifestOf, newRegistry, push, version } from "./test-registry.js";

const ANN: Actor = { name: "ann", email: null, credential: "api-token:1", address: "" };
const AUTO = { requests: 500, seconds: 600, failures: 2, latency: 3 };
const GRADUAL = { steps: [5, 25], requests: 100, seconds: 300 };

/** Pushes versions of `hello` one after the other; each is tried as the manifest says. */
function pushAll(registry: Registry, labels: string[], tried: Partial<Manifest>): void {
  for (const label of labels) {
    const fresh = version("hello", label, { manifest: manifestOf("hello", tried) });
    const versions = registry.version(fresh.id) ? [] : [fresh];
    push(registry, `c${registry.routeState().generation}`, { hello: label }, { versions });
  }
}

const found = (registry: Registry) => {
  const record = registry.functionByName("hello")!;
  const trial = registry.trial(record.id);
  return {
    id: record.id,
    state: record.state,
    latest: record.latest,
    split: record.split?.map(({ version: id, percentage }) => `${id} ${percentage}`),
    trial: trial && `${trial.before} > ${trial.version}`,
  };
};

test("a watched version has all traffic at once and is on trial against the one before; the first version is not", (t) => {
  const { registry } = newRegistry(t);
  pushAll(registry, ["a"], { autoRollback: AUTO });
  assert.equal(found(registry).trial, undefined);
  pushAll(registry, ["b"], { autoRollback: AUTO });
  const { state, latest, trial } = found(registry);
  assert.deepEqual([state, latest, trial], ["ready", "hello@b", "hello@a > hello@b"]);
  const [routed] = registry.routeState().functions;
  assert.deepEqual(routed?.trial, { version: "hello@b", before: "hello@a" });
  assert.ok(registry.events({ limit: 10 }).some(({ kind }) => kind === "trial.began"));
});

test("a version on trial that is followed by another has proven nothing: what served before it stays the base", (t) => {
  const { registry } = newRegistry(t);
  pushAll(registry, ["a", "b", "c"], { autoRollback: AUTO });
  assert.equal(found(registry).trial, "hello@a > hello@c");
  pushAll(registry, ["a"], { autoRollback: AUTO });
  assert.deepEqual([found(registry).latest, found(registry).trial], ["hello@a", undefined]);
});

test("a gradual version begins with its first share, is no less declared, and a further push takes its place", (t) => {
  const { registry } = newRegistry(t);
  pushAll(registry, ["a", "b"], { gradual: GRADUAL });
  const { id, state, latest, split } = found(registry);
  assert.deepEqual([state, latest, split], ["gradual", "hello@a", ["hello@a 95", "hello@b 5"]]);
  assert.equal(registry.functionById(id)?.declared, "hello@b");
  const [last] = registry.deployments(id);
  assert.deepEqual([last?.from, last?.to, last?.split?.length], ["hello@a", "hello@a", 2]);
  pushAll(registry, ["b"], { gradual: GRADUAL });
  assert.deepEqual(found(registry).split, ["hello@a 95", "hello@b 5"]);
  pushAll(registry, ["c"], { gradual: GRADUAL });
  assert.deepEqual([found(registry).split, found(registry).trial], [["hello@a 95", "hello@c 5"], "hello@a > hello@c"]);
  pushAll(registry, ["a"], { gradual: GRADUAL });
  assert.deepEqual([found(registry).state, found(registry).split], ["ready", undefined]);
});

test("a person's move ends a trial, a suspension lets it wait, and what is held is not tried", (t) => {
  const { registry } = newRegistry(t);
  pushAll(registry, ["a", "b"], { gradual: GRADUAL });
  const { id } = found(registry);
  const hold = { alias: "latest", kind: "pin" as const, version: "hello@a" };
  const of = { account: "main", name: "hello", by: ANN, events: [] };
  const suspension = { alias: "*", kind: "suspension" as const, version: "hello@a" };
  registry.applyDirect({ ...of, cause: "api", holds: [suspension] });
  pushAll(registry, ["c"], { gradual: GRADUAL });
  assert.equal(found(registry).trial, "hello@a > hello@b");
  registry.applyDirect({ ...of, cause: "unpin", releases: ["*"] });
  registry.applyDirect({ ...of, cause: "pin", latest: "hello@a", holds: [hold] });
  assert.deepEqual([found(registry).trial, found(registry).state], [undefined, "pinned"]);
  pushAll(registry, ["d"], { gradual: GRADUAL });
  assert.deepEqual([registry.trial(id), found(registry).latest], [undefined, "hello@a"]);
});

test("a trial ends once, keeps its baseline meanwhile, and is forgotten with its function", (t) => {
  const { registry } = newRegistry(t);
  pushAll(registry, ["a", "b"], { autoRollback: AUTO });
  const { id } = found(registry);
  registry.saveBaseline(id, { requests: 3, failures: 1, buckets: [3] });
  pushAll(registry, ["c"], { autoRollback: AUTO });
  assert.deepEqual(registry.trial(id)?.baseline, { requests: 3, failures: 1, buckets: [3] });
  const event = { kind: "trial.passed", function: "hello", message: "fine" };
  assert.equal(registry.endTrial(id, "hello@b", event), false);
  assert.equal(registry.endTrial(id, "hello@c", event), true);
  assert.equal(registry.trials().size, 0);
  pushAll(registry, ["d"], { autoRollback: AUTO });
  push(registry, "dead", { hello: null });
  assert.equal(registry.trials().size, 0);
});
