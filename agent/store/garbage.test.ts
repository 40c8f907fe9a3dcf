import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../test-properties.js";
import { change, DAY, digest, manifestOf, newRegistry, push, type TestRegistry, version } from "./test-registry.js";

const RETENTION = 30 * DAY;

/** Deploys without revision, so that no history holds the versions. */
function deploy({ registry }: Pick<TestRegistry, "registry">, name: string, label: string): void {
  push(registry, null, { [name]: label });
}

test("a removed function is kept for the retention, then forgotten with its versions and its artifacts", (t) => {
  const { registry, clock } = newRegistry(t);
  const sourceMaps = digest("maps");
  push(
    registry,
    "a",
    { hello: "1", other: "1" },
    {
      versions: [version("hello", "1", { sourceMaps }), version("other", "1")],
      builds: [
        {
          function: "hello",
          environment: "",
          treeId: "t",
          bundler: "b",
          inputs: { folder: "", files: {}, folders: {} },
          versionId: "hello@1",
        },
      ],
    },
  );
  const { id } = registry.functionByName("hello")!;
  registry.setAlias(id, "stable", "hello@1");
  push(registry, "b", { hello: null });
  const removedAt = clock.now;
  const nothing = { functions: [], versions: [], artifacts: [] };
  assert.deepEqual(registry.removeExpired(removedAt + RETENTION, RETENTION), nothing);
  const garbage = registry.removeExpired(removedAt + RETENTION + 1, RETENTION);
  assert.deepEqual(garbage.functions, [{ id, account: "main", name: "hello" }]);
  assert.deepEqual(garbage.versions, ["hello@1"]);
  assert.deepEqual(garbage.artifacts.sort(), [digest("hello@1"), sourceMaps].sort());
  assert.equal(registry.version("hello@1"), undefined);
  assert.deepEqual(registry.removedFunctions(), []);
  assert.equal(registry.functionByName("other")?.latest, "other@1");
  push(registry, "c", {}, { functions: [change("hello", undefined, { account: "bob" })] });
  assert.notEqual(registry.functionByName("hello")?.id, id, "the name is free again, for another function");
});

test("B7a what happened to a forgotten function stays its account's, whoever has the name afterwards", (t) => {
  const { registry, clock } = newRegistry(t);
  const noted = (kind: string) => ({ kind, function: "hello", message: "" });
  const of = (account: string, label: string) => {
    const versions = [version("hello", label, { account })];
    push(registry, null, {}, { functions: [change("hello", label, { account, source: null })], versions });
    registry.addEvent(noted(`by.${account}`));
    return registry.functionByName("hello")!.id;
  };
  const before = of("ann", "1");
  push(registry, null, {}, { functions: [change("hello", undefined, { account: "ann", state: "removed" })] });
  registry.removeExpired(clock.now + RETENTION + 1, RETENTION);
  registry.addEvent(noted("by.nobody"));
  const after = of("bob", "2");
  const told = (query: object) =>
    registry.events({ limit: 9, ...query }).map(({ kind, account }) => [kind, account ?? "-"].join(" "));
  assert.deepEqual(told({ function: "hello" }), ["by.bob bob", "by.nobody -", "by.ann ann"]);
  assert.deepEqual([told({ functionId: after }), told({ functionId: before })], [["by.bob bob"], ["by.ann ann"]]);
  assert.deepEqual(registry.deployments(after).length, 1);
  registry.addEvent({ ...noted("function.failed"), source: "default" });
  assert.deepEqual(told({ limit: 1 }), ["function.failed main"]);
  assert.deepEqual(told({ functionId: after }), ["by.bob bob"]);
});

test("an artifact that another version shares stays", (t) => {
  const { registry, clock } = newRegistry(t);
  const artifact = digest("shared");
  push(
    registry,
    "a",
    { hello: "1", other: "1" },
    {
      versions: [version("hello", "1", { artifact }), version("other", "1", { artifact })],
    },
  );
  push(registry, "b", { hello: null });
  const garbage = registry.removeExpired(clock.now + RETENTION + 1, RETENTION);
  assert.deepEqual(garbage.artifacts, []);
  assert.deepEqual(registry.artifacts(), new Set([artifact]));
});

test("versions of the last twenty deployments, of aliases, and the one that serves stay; older ones go", (t) => {
  const registry = newRegistry(t);
  for (let n = 1; n <= 30; n++) {
    registry.clock.now += 1;
    deploy(registry, "hello", `${n}`);
  }
  const { id } = registry.registry.functionByName("hello")!;
  registry.registry.setAlias(id, "old", "hello@3");
  const later = registry.clock.now + RETENTION + 1;
  const gone = registry.registry.removeExpired(later, RETENTION).versions;
  assert.deepEqual(gone.sort(), ["1", "2", "4", "5", "6", "7", "8", "9"].map((n) => `hello@${n}`).sort());
  assert.equal(registry.registry.deployments(id).length, 30, "deployments are a record and stay");
});

test("the build of a version that went is not found any more, though it was asked for before", (t) => {
  const test = newRegistry(t);
  const inputs = { folder: "", files: {}, folders: {} };
  const built = { function: "hello", environment: "", treeId: "tree", bundler: "b", inputs, versionId: "hello@1" };
  push(test.registry, null, { hello: "1" }, { builds: [built] });
  const { id } = test.registry.functionByName("hello")!;
  assert.equal(test.registry.builds(id, "tree", "").length, 1);
  for (let n = 2; n <= 30; n++) deploy(test, "hello", `${n}`);
  assert.ok(test.registry.removeExpired(test.clock.now + RETENTION + 1, RETENTION).versions.includes("hello@1"));
  assert.deepEqual(test.registry.builds(id, "tree", ""), []);
});

test("a version is as old as its last deployment, not as its making", (t) => {
  const test = newRegistry(t);
  deploy(test, "hello", "first");
  test.clock.now += RETENTION;
  for (let n = 1; n <= 30; n++) deploy(test, "hello", `${n}`);
  assert.deepEqual(test.registry.removeExpired(test.clock.now + DAY, RETENTION).versions, []);
});

test("versions that a revision in reach gave stay", (t) => {
  const { registry, clock } = newRegistry(t);
  for (let n = 1; n <= 30; n++) push(registry, n.toString(16).padStart(4, "a"), { hello: `${n}` });
  assert.deepEqual(registry.removeExpired(clock.now + RETENTION + 1, RETENTION).versions, []);
});

test("history and revisions out of reach are trimmed, but what still applies stays", (t) => {
  const { registry, clock } = newRegistry(t);
  for (let n = 1; n <= 30; n++) push(registry, n.toString(16).padStart(4, "a"), { hello: `${n}` });
  push(registry, "e", {}, { revision: { source: "quiet", branch: "main", commit: "e".repeat(40) } });
  for (let n = 1; n <= 1000; n++) push(registry, n.toString(16).padStart(4, "b"), {});
  const garbage = registry.removeExpired(clock.now + RETENTION + 1, RETENTION);
  assert.deepEqual(registry.routeState().functions[0]?.history, [{ seq: 30, version: "hello@30" }]);
  assert.equal(garbage.versions.length, 9, "20 deployments speak of 21 versions");
  assert.equal(registry.lastRevision("quiet")?.commit, "e".repeat(40));
  assert.equal(registry.revisions(5000).length, 1002);
});

test("nothing that serves, is named by an alias or can be restored is ever collected", (t) => {
  const step = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    label: fc.constantFrom("1", "2", "3", "4", "5", null),
    days: fc.integer({ min: 0, max: 40 }),
    alias: fc.boolean(),
    git: fc.boolean(),
    collect: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const { registry, clock } = newRegistry(t);
      const deleted = new Set<string>();
      for (const [index, { name, label, days, alias, git, collect }] of steps.entries()) {
        clock.now += days * DAY;
        const manifest = manifestOf(name);
        const versions = label === null ? [] : [version(name, label, { manifest })];
        for (const { artifact } of versions) deleted.delete(artifact);
        push(registry, git ? index.toString(16).padStart(6, "a") : null, { [name]: label }, { versions });
        const live = registry.functionByName(name);
        if (alias && live?.latest) registry.setAlias(live.id, "stable", live.latest);
        if (collect) for (const gone of registry.removeExpired(clock.now, RETENTION).artifacts) deleted.add(gone);
        for (const { versions: reachable, latest, aliases } of registry.routeState().functions) {
          const ids = new Set(reachable.map(({ id }) => id));
          for (const id of [latest, ...Object.values(aliases)]) assert.ok(id === null || ids.has(id));
          for (const { artifact } of reachable) assert.ok(!deleted.has(artifact));
        }
        for (const { latest } of registry.removedFunctions()) assert.ok(latest && registry.version(latest));
      }
      registry.close();
    }),
    { numRuns: 30 },
  );
});
