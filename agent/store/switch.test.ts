import assert from "node:assert/strict";
import { test } from "node:test";
import { change, manifestOf, newRegistry, push, revision, version } from "./test-registry.js";

test("a switch records revision, functions, versions, deployments and events, and raises the generation by one", (t) => {
  const { registry, clock } = newRegistry(t);
  const events = [{ kind: "source.synced", source: "default", message: "synced" }];
  const result = push(registry, "a", { hello: "1", other: "1" }, { events });
  assert.equal(result.seq, 1);
  assert.equal(result.generation, 1);
  assert.deepEqual(result.events, [{ id: 1, at: clock.now, ...events[0] }]);
  const hello = registry.functionByName("hello");
  assert.equal(hello?.latest, "hello@1");
  assert.equal(hello.revision, `main@sha1:${"a".padEnd(40, "0")}`);
  assert.equal(registry.version("hello@1")?.account, "main");
  const [deployment] = registry.deployments(hello.id);
  assert.deepEqual(
    { ...deployment, id: "" },
    {
      id: "",
      function: "hello",
      at: clock.now,
      cause: "push",
      author: "ann",
      revision: hello.revision,
      from: null,
      to: "hello@1",
    },
  );
  assert.deepEqual(registry.lastRevision("default"), {
    ...revision("a"),
    seq: 1,
    at: clock.now,
    result: "switched",
  });
});

test("a switch that fails anywhere changes nothing at all", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const before = [registry.routeState(), registry.functions(), registry.events({ limit: 10 })];
  const broken = () =>
    push(
      registry,
      "b",
      { hello: "2", fresh: "1" },
      {
        functions: [change("hello", "2"), change("fresh", "missing")],
        events: [{ kind: "a.b", message: "" }],
      },
    );
  assert.throws(broken, TypeError);
  assert.deepEqual([registry.routeState(), registry.functions(), registry.events({ limit: 10 })], before);
  assert.equal(registry.lastRevision("default")?.commit, revision("a").commit);
});

test("a failed function keeps its last good version, with the error", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const error = { code: "ERR_BUNDLE" as const, message: "no", position: { file: "a.ts", line: 1, column: 2 } };
  push(registry, "b", {}, { functions: [change("hello", undefined, { state: "failed", error })] });
  const failed = registry.functionByName("hello");
  assert.equal(failed?.state, "failed");
  assert.equal(failed.latest, "hello@1");
  assert.deepEqual(failed.error, error);
  push(registry, "c", { hello: "2" });
  assert.equal(registry.functionByName("hello")?.error, undefined);
  assert.equal(registry.deployments(failed.id).length, 2);
});

test("history says which version a revision gave: none where it failed, and nothing is repeated", (t) => {
  const { registry } = newRegistry(t);
  const historyOf = () => registry.routeState().functions.find(({ name }) => name === "hello")?.history;
  push(registry, "a", { hello: "1" });
  push(registry, "b", { other: "1" });
  push(registry, "c", {}, { functions: [change("hello", undefined, { state: "failed" })] });
  push(registry, "d", {}, { functions: [change("hello", undefined, { state: "failed" })] });
  push(registry, "e", {}, { functions: [change("hello")] });
  push(registry, "f", { hello: "1" });
  push(registry, "0a", {}, { functions: [change("hello", undefined, { state: "pinned", declared: "hello@1" })] });
  assert.deepEqual(historyOf(), [
    { seq: 1, version: "hello@1" },
    { seq: 3, version: null },
    { seq: 5, version: "hello@1" },
  ]);
});

test("the same commit again keeps its sequence number, another pass over it corrects its history", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", {}, { functions: [change("hello", undefined, { state: "failed" })], result: "failed" });
  const second = push(registry, "a", { hello: "1" });
  assert.equal(second.seq, 1);
  assert.equal(registry.lastRevision("default")?.result, "switched");
  assert.deepEqual(registry.routeState().functions[0]?.history, [{ seq: 1, version: "hello@1" }]);
  push(registry, "b", { hello: "2" });
  assert.equal(push(registry, "a", { hello: "1" }).seq, 3, "a commit that came back is a revision of its own");
});

test("sequence numbers ascend over all sources, and each source has its last revision", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", {}, { revision: revision("a", "one") });
  push(registry, "b", {}, { revision: revision("b", "two") });
  push(registry, "c", {}, { revision: revision("c", "one") });
  assert.equal(registry.lastRevision("one")?.seq, 3);
  assert.equal(registry.lastRevision("two")?.seq, 2);
  assert.equal(registry.lastRevision("three"), undefined);
  assert.deepEqual(
    registry.revisions(2).map(({ seq }) => seq),
    [2, 3],
  );
});

test("a removed function is no longer live, keeps its name for its account, and is restored on its last version", (t) => {
  const { registry, clock } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const { id } = registry.functionByName("hello")!;
  clock.now += 1000;
  push(registry, "b", { hello: null });
  assert.equal(registry.functionByName("hello"), undefined);
  assert.deepEqual(registry.functions(), []);
  assert.equal(registry.removedFunctions()[0]?.removedAt, clock.now);
  assert.deepEqual(registry.aliases(id), []);
  const taken = () => push(registry, "c", {}, { functions: [change("hello", undefined, { account: "bob" })] });
  assert.throws(taken, { code: "ERR_NAME_TAKEN" });
  const restored = registry.restoreFunction("hello", "ann");
  assert.equal(restored.deployments[0]?.cause, "restore");
  assert.equal(restored.events[0]?.kind, "function.restored");
  const back = registry.functionByName("hello");
  assert.equal(back?.id, id);
  assert.equal(back.source, null);
  assert.equal(back.latest, "hello@1");
  assert.deepEqual(
    registry.deployments(id).map(({ from, to }) => [from, to]),
    [
      [null, "hello@1"],
      ["hello@1", null],
      [null, "hello@1"],
    ],
  );
});

test("a function that is declared again after its removal is the same function", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const { id } = registry.functionByName("hello")!;
  push(registry, "b", { hello: null });
  push(registry, "c", { hello: "1" });
  assert.equal(registry.functionByName("hello")?.id, id);
  assert.deepEqual(
    registry.routeState().functions[0]?.history.map(({ version }) => version),
    ["hello@1", null, "hello@1"],
  );
});

test("a function that comes back broken does not serve what it served before its removal", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  push(registry, "b", { hello: null });
  push(registry, "c", {}, { functions: [change("hello", undefined, { state: "failed" })] });
  assert.equal(registry.functionByName("hello")?.latest, null);
});

test("a function that came back broken, and went again, is restored on what it served before", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const { id } = registry.functionByName("hello")!;
  push(registry, "b", { hello: null });
  push(registry, "c", {}, { functions: [change("hello", undefined, { state: "failed" })] });
  push(registry, "d", { hello: null });
  registry.restoreFunction("hello", "ann");
  assert.equal(registry.functionByName("hello")?.id, id);
  assert.equal(registry.functionByName("hello")?.latest, "hello@1");
});

test("restoring what is live, or was never there, is not found", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  assert.throws(() => registry.restoreFunction("hello", "ann"), { code: "ERR_NOT_FOUND" });
  assert.throws(() => registry.restoreFunction("other", "ann"), { code: "ERR_NOT_FOUND" });
});

test("a function that never served is forgotten with its folder", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", {}, { functions: [change("hello", undefined, { state: "failed" })] });
  push(registry, "b", { hello: null });
  assert.deepEqual([registry.functions(), registry.removedFunctions()], [[], []]);
});

test("a second declaration of a name is listed, owns nothing, and does not touch the first", (t) => {
  const { registry } = newRegistry(t);
  const error = { code: "ERR_NAME_TAKEN" as const, message: "taken" };
  const second = change("hello", undefined, { folder: "copy", state: "name-taken", error });
  push(registry, "a", { hello: "1" });
  push(registry, "b", {}, { functions: [second] });
  push(registry, "b2", {}, { functions: [second] });
  assert.deepEqual(
    registry.functions().map(({ folder, state }) => [folder, state]),
    [
      ["hello", "ready"],
      ["copy", "name-taken"],
    ],
  );
  assert.equal(registry.functionByName("hello")?.folder, "hello");
  assert.deepEqual(
    registry.routeState().functions.map(({ state }) => state),
    ["ready"],
  );
  push(registry, "c", {}, { functions: [change("hello", undefined, { folder: "copy", state: "removed" })] });
  assert.deepEqual(
    registry.functions().map(({ folder }) => folder),
    ["hello"],
  );
  assert.equal(registry.functionByName("hello")?.latest, "hello@1");
});

test("a second declaration takes the name over when the first is gone", (t) => {
  const { registry } = newRegistry(t);
  const copy = { folder: "copy" };
  push(
    registry,
    "a",
    { hello: "1" },
    {
      functions: [change("hello", "1"), change("hello", undefined, { ...copy, state: "name-taken" })],
    },
  );
  push(
    registry,
    "b",
    {},
    {
      functions: [change("hello", undefined, { state: "removed" }), change("hello", "2", copy)],
      versions: [version("hello", "2")],
    },
  );
  assert.deepEqual(
    registry.functions().map(({ folder, latest }) => [folder, latest]),
    [["copy", "hello@2"]],
  );
});

test("a claim on a host keeps its date while versions go on claiming it", (t) => {
  const { registry, clock } = newRegistry(t);
  const hosting = (label: string, hosts: string[]) => ({
    versions: [version("shop", label, { manifest: manifestOf("shop", { hosts }) })],
  });
  const first = clock.now;
  push(registry, "a", { shop: "1" }, hosting("1", ["a.example.com"]));
  clock.now += 1000;
  push(registry, "b", { shop: "2" }, hosting("2", ["a.example.com", "b.example.com"]));
  assert.deepEqual(registry.functionByName("shop")?.hosts, { "a.example.com": first, "b.example.com": clock.now });
  push(registry, "c", { shop: null });
  assert.deepEqual(registry.removedFunctions()[0]?.hosts, {});
  clock.now += 1000;
  registry.restoreFunction("shop", "ann");
  assert.deepEqual(registry.functionByName("shop")?.hosts, { "a.example.com": clock.now, "b.example.com": clock.now });
});

test("a direct deploy has no revision and leaves history alone", (t) => {
  const { registry } = newRegistry(t);
  const result = registry.applySwitch({
    cause: "api",
    author: "ann",
    functions: [change("hello", "1", { source: null, folder: null })],
    versions: [version("hello", "1")],
  });
  assert.equal(result.seq, null);
  assert.equal(result.deployments[0]?.revision, null);
  assert.deepEqual(registry.routeState().functions[0]?.history, []);
});

test("a switch to the version that serves already is no deployment", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  assert.deepEqual(push(registry, "b", { hello: "1" }).deployments, []);
});

test("a version of something that is no function is a mistake of the caller", (t) => {
  const { registry } = newRegistry(t);
  const stray = () => push(registry, "a", {}, { versions: [version("stray", "1")] });
  assert.throws(stray, TypeError);
});
