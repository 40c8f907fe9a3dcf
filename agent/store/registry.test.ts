import assert from "node:assert/strict";
import { test } from "node:test";
import type { BundleInputs, SourceSettings } from "../model.js";
import { fc } from "../test-properties.js";
import { openRegistry, type Registry } from "./registry.js";
import { change, DAY, newRegistry, push, version } from "./test-registry.js";

test("settings are kept by key, and the generation of the routes only ascends", (t) => {
  const { registry } = newRegistry(t);
  assert.equal(registry.setting("embedded.seeded"), undefined);
  registry.setSetting("embedded.seeded", "1");
  registry.setSetting("embedded.seeded", "2");
  assert.equal(registry.setting("embedded.seeded"), "2");
  registry.deleteSetting("embedded.seeded");
  assert.equal(registry.setting("embedded.seeded"), undefined);
  assert.deepEqual(
    [registry.routeGeneration(), registry.bumpRouteGeneration(), registry.bumpRouteGeneration()],
    [0, 1, 2],
  );
  assert.equal(push(registry, "a", {}).generation, 3);
});

const SETTINGS: SourceSettings = {
  ...{ repo: "https://git.example.com/shop.git", follow: { branch: "main" }, path: "", account: "main" },
  ...{ interval: 60_000, prune: "never", atomic: true, previews: [], previewSecrets: false, verify: null },
};

test("a source is saved whole and keeps the time it was made", (t) => {
  const { registry, clock } = newRegistry(t);
  const source = { name: "shop", settings: SETTINGS, credentials: { token: "sealed" } };
  registry.saveSource(source);
  const createdAt = clock.now;
  clock.now += 5;
  registry.saveSource({ ...source, settings: { ...SETTINGS, follow: { tags: "^1" } }, credentials: {} });
  const saved = { ...source, settings: { ...SETTINGS, follow: { tags: "^1" } }, credentials: {}, createdAt };
  assert.deepEqual(registry.source("shop"), saved);
  assert.equal(registry.source("other"), undefined);
  assert.deepEqual(registry.sources(), [saved]);
});

test("B8 what is sealed for sources counts as secrets, until they are forgotten", (t) => {
  const { registry } = newRegistry(t);
  const forget = (name: string) => push(registry, null, {}, { functions: [], forgets: name });
  registry.saveSource({ name: "shop", settings: SETTINGS, credentials: {} });
  assert.equal(registry.hasSecrets(), false);
  registry.saveSource({ name: "shop", settings: SETTINGS, credentials: { token: "sealed" } });
  assert.equal(registry.hasSecrets(), true);
  forget("shop");
  assert.equal(registry.hasSecrets(), false);
  registry.saveWebhookSecret("default", "github", "sealed");
  assert.equal(registry.hasSecrets(), true);
});

test("a suspension is kept with reason and end, and goes with its source", (t) => {
  const { registry } = newRegistry(t);
  const suspension = { author: "ann", reason: "fair", createdAt: 1, expiresAt: 2 };
  registry.saveSourceSuspension("default", { author: "ann", createdAt: 1 });
  registry.saveSourceSuspension("shop", suspension);
  assert.deepEqual([...registry.sourceSuspensions()].sort(), [
    ["default", { author: "ann", createdAt: 1 }],
    ["shop", suspension],
  ]);
  assert.deepEqual(
    [registry.deleteSourceSuspension("default"), registry.deleteSourceSuspension("default")],
    [true, false],
  );
  registry.saveWebhookSecret("shop", "github", "one");
  registry.saveWebhookSecret("shop", "github", "two");
  assert.deepEqual(registry.webhookSecrets("shop"), { github: "two" });
  registry.setSetting("handled.shop", "key");
  push(registry, null, {}, { functions: [], forgets: "shop" });
  assert.deepEqual([registry.sourceSuspensions().size, registry.webhookSecrets("shop")], [0, {}]);
  assert.equal(registry.setting("handled.shop"), undefined);
});

const inputs = (blob: string): BundleInputs => ({
  folder: "",
  files: { "b.ts": "1", "a.ts": blob },
  folders: { "": "d" },
});
const build = (label: string, treeId: string, blob: string, environment = "") => ({
  function: "hello",
  environment,
  treeId,
  bundler: "esbuild@1",
  inputs: inputs(blob),
  versionId: `hello@${label}`,
});

test("all builds of a tree are found, last used first, so that a revert finds the one with its outside inputs", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" }, { builds: [build("1", "tree", "x")] });
  push(registry, "b", { hello: "2" }, { builds: [build("2", "tree", "y"), build("2", "other", "y")] });
  push(registry, "c", { hello: "2" }, { builds: [build("2", "tree", "x", "staging")] });
  const { id } = registry.functionByName("hello")!;
  assert.deepEqual(
    registry.builds(id, "tree", "").map((found) => [found.versionId, found.inputs.files["a.ts"]]),
    [
      ["hello@2", "y"],
      ["hello@1", "x"],
    ],
  );
  push(registry, "d", { hello: "1" }, { builds: [build("1", "tree", "x")] });
  assert.deepEqual(
    registry.builds(id, "tree", "").map(({ versionId }) => versionId),
    ["hello@1", "hello@2"],
  );
  assert.deepEqual(registry.builds(id, "nowhere", ""), []);
  assert.equal(registry.lastBuilds().get(id)?.versionId, "hello@1");
});

test("versions of a function are listed newest first, source maps only where there are some", (t) => {
  const { registry, clock } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  clock.now += 1;
  push(registry, "b", { hello: "2" });
  const { id } = registry.functionByName("hello")!;
  assert.deepEqual(
    registry.versions(id).map((version) => version.id),
    ["hello@2", "hello@1"],
  );
  assert.equal(registry.version("hello@1")?.sourceMaps, undefined);
  assert.equal(registry.version("nothing"), undefined);
  assert.equal(registry.functionById(id)?.name, "hello");
});

test("aliases are listed with latest, moved and removed, but latest itself moves by a switch only", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  push(registry, "b", { hello: "2" });
  const { id } = registry.functionByName("hello")!;
  registry.setAlias(id, "stable", "hello@1");
  registry.setAlias(id, "beta", "hello@1");
  registry.setAlias(id, "beta", "hello@2");
  assert.deepEqual(
    registry.aliases(id).map(({ name, versionId }) => [name, versionId]),
    [
      ["latest", "hello@2"],
      ["beta", "hello@2"],
      ["stable", "hello@1"],
    ],
  );
  assert.deepEqual(registry.routeState().functions[0]?.aliases, { stable: "hello@1", beta: "hello@2" });
  assert.equal(registry.deleteAlias(id, "beta"), true);
  assert.equal(registry.deleteAlias(id, "beta"), false);
  assert.throws(() => registry.setAlias(id, "latest", "hello@1"), TypeError);
  assert.throws(() => registry.setAlias(id, "x", "nothing"), TypeError);
});

test("events are found by kind and function, forward and backward, within a limit", (t) => {
  const { registry } = newRegistry(t);
  for (let n = 1; n <= 6; n++) {
    registry.addEvent({ kind: n % 2 ? "a.odd" : "a.even", message: `${n}`, ...(n > 3 ? { function: "hello" } : {}) });
  }
  const ids = (query: Parameters<typeof registry.events>[0]) => registry.events(query).map(({ id }) => id);
  assert.deepEqual(ids({ limit: 2 }), [6, 5]);
  assert.deepEqual(ids({ before: 5, limit: 2 }), [4, 3]);
  assert.deepEqual(ids({ after: 2, limit: 2 }), [3, 4]);
  assert.deepEqual(ids({ after: 1, before: 4, limit: 9 }), [2, 3]);
  assert.deepEqual(ids({ kinds: ["a.odd"], limit: 9 }), [5, 3, 1]);
  assert.deepEqual(ids({ kinds: ["a.odd", "a.even"], function: "hello", limit: 9 }), [6, 5, 4]);
  assert.deepEqual(ids({ kinds: [], limit: 9 }), []);
  assert.deepEqual(ids({ kinds: ["a"], after: 3, limit: 9 }), [4, 5, 6]);
  assert.deepEqual(ids({ kinds: ["a.odd", "b"], limit: 9 }), [5, 3, 1]);
  registry.addEvent({ kind: "a.odd", source: "shop", message: "" });
  assert.deepEqual(ids({ source: "shop", limit: 9 }), [7]);
});

test("only the newest events are kept, and their ids go on ascending", (t) => {
  const { registry } = newRegistry(t, { maxEvents: 3 });
  assert.deepEqual(registry.eventIds(), { oldest: 0, newest: 0 });
  const error = { code: "ERR_LOAD" as const, message: "no" };
  for (let n = 0; n < 5; n++) registry.addEvent({ kind: "a.b", message: "", error });
  assert.deepEqual(
    registry.events({ limit: 9 }).map(({ id }) => id),
    [5, 4, 3],
  );
  assert.deepEqual(registry.events({ limit: 1 })[0]?.error, error);
  assert.deepEqual(registry.eventIds(), { oldest: 3, newest: 5 });
});

test("the state of a function can be set between switches, and its generation raised", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const error = { code: "ERR_RUNTIME" as const, message: "it hung" };
  registry.setFunctionState("hello", "quarantined", error);
  assert.deepEqual(registry.functionByName("hello")?.error, error);
  assert.equal(registry.routeState().functions[0]?.state, "quarantined");
  registry.setFunctionState("hello", "ready");
  assert.equal(registry.functionByName("hello")?.error, undefined);
  assert.equal(registry.bumpFunctionGeneration("hello"), 1);
  assert.equal(registry.routeState().functions[0]?.generation, 1);
  assert.throws(() => registry.setFunctionState("other", "ready"), { code: "ERR_NOT_FOUND" });
});

test("route state tells when versions were replaced, and whether they ever served", (t) => {
  const { registry, clock } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  clock.now += 100;
  push(registry, "b", { hello: "2" }, { versions: [version("hello", "2"), version("hello", "3")] });
  const read = () =>
    registry.routeState().functions[0]?.versions.map(({ id, replacedAt, deployed }) => [id, replacedAt, deployed]);
  const rest = [
    ["hello@2", null, true],
    ["hello@3", null, false],
  ];
  assert.deepEqual(read(), [["hello@1", clock.now, true], ...rest]);
  push(registry, "d", { hello: "1" });
  assert.deepEqual(read()?.[0], ["hello@1", null, true], "a version that serves again is not replaced");
});

test("route state and functions answer the same objects for functions that did not change", (t) => {
  const { registry } = newRegistry(t);
  const names = Array.from({ length: 10 }, (_, n) => `f${n}`);
  push(registry, "a", Object.fromEntries(names.map((name) => [name, "1"])));
  const read = () => [registry.routeState().functions, registry.functions()];
  const before = read();
  push(registry, "b", { f3: "2" });
  for (const [which, after] of read().entries()) {
    const changed = after.filter((entry, index) => entry !== before[which]?.[index]);
    assert.deepEqual(
      changed.map(({ name }) => name),
      ["f3"],
    );
  }
});

test("what is kept in memory after any series of changes, refused ones too, is what a registry opened afresh reads", (t) => {
  const name = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const label = fc.constantFrom("1", "2", "3", null);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), name, label }),
    fc.record({
      kind: fc.constantFrom("fail", "alias", "unalias", "generation", "quarantine", "restore", "refused"),
      name,
    }),
    fc.record({ kind: fc.constant("collect" as const), days: fc.integer({ min: 0, max: 40 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
      const { registry, file, clock } = newRegistry(t);
      for (const [index, step] of steps.entries()) {
        take(registry, step, index.toString(16).padStart(6, "a"), clock);
        readAll(registry);
      }
      const kept = readAll(registry);
      registry.close();
      const fresh = openRegistry(file);
      assert.deepEqual(kept, readAll(fresh));
      fresh.close();
    }),
    { numRuns: 25 },
  );
});

function readAll(registry: Registry) {
  const functions = registry.functions();
  return [registry.routeState(), functions, functions.map(({ id }) => registry.builds(id, "tree", ""))];
}

interface Step {
  kind: string;
  name?: string;
  label?: string | null;
  days?: number;
}

function builtOf(name: string, label: string) {
  return { ...build(label, "tree", label), function: name, versionId: `${name}@${label}` };
}

function take(registry: Registry, step: Step, commit: string, clock: { now: number }): void {
  const { kind, name = "", label = null, days = 0 } = step;
  const live = registry.functionByName(name);
  clock.now += days * DAY;
  const builds = label === null ? [] : [builtOf(name, label)];
  if (kind === "push") push(registry, commit, { [name]: label }, { builds });
  // The version of the second one is not there, so the first one does not change either.
  else if (kind === "refused") {
    const functions = [change(name, "1"), change("g", "missing")];
    const versions = [version(name, "1")];
    assert.throws(() => push(registry, commit, {}, { functions, versions, builds: [builtOf(name, "1")] }));
  } else if (kind === "fail") push(registry, commit, {}, { functions: [change(name, undefined, { state: "failed" })] });
  else if (kind === "collect") registry.removeExpired(clock.now, 30 * DAY);
  else if (kind === "restore" && registry.removedFunctions().some((gone) => gone.name === name)) {
    registry.restoreFunction(name, "ann");
  } else if (!live) return;
  else if (kind === "alias" && live.latest) registry.setAlias(live.id, "stable", live.latest);
  else if (kind === "unalias") registry.deleteAlias(live.id, "stable");
  else if (kind === "generation") registry.bumpFunctionGeneration(name);
  else if (kind === "quarantine") registry.setFunctionState(name, "quarantined");
}
