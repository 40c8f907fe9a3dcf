import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_REVISIONS, type RouteEntry, type RouteTable } from "../../runtime/wire.js";
import type { Manifest, RoutedFunction, RoutedVersion, RouteState } from "../model.js";
import { testManifest } from "../test-manifest.js";
import { fc } from "../test-properties.js";
import { buildRouteTable, diffRouteTables, type RouteOptions } from "./route-table.js";

const DAY = 86_400_000;
const NOW = 1_000 * DAY;
const options: RouteOptions = { now: NOW, previewRetention: 7 * DAY, privateEgress: [], baseDomain: "base.example" };

const manifest = testManifest({ compatibilityFlags: ["nodejs_compat"], vars: { A: "a", B: { c: 1 } } });

function version(id: string, change: Partial<RoutedVersion> = {}): RoutedVersion {
  const content = { artifact: `sha256:${id}`, manifest, entrypoints: ["default"], secrets: {} };
  const databases = { databases: {}, copies: {} };
  return { id, ...content, ...databases, replacedAt: null, deployed: true, isUpload: false, ...change };
}

function routed(change: Partial<RoutedFunction> = {}): RoutedFunction {
  return {
    id: "id-of-hello",
    account: "main",
    name: "hello",
    state: "ready",
    latest: "v1",
    split: null,
    settings: {},
    generation: 0,
    hosts: {},
    database: { id: "db", name: "hello-d1", epoch: 2, isRemoved: false, isOpen: true },
    aliases: {},
    previews: [],
    versions: [version("v1")],
    history: [{ seq: 1, version: "v1" }],
    ...change,
  };
}

function stateOf(...functions: RoutedFunction[]): RouteState {
  return { generation: 5, functions, revisions: [{ seq: 1, commit: "a".repeat(40) }] };
}

function entryOf(function_: RoutedFunction, change: Partial<RouteOptions> = {}): RouteEntry {
  return buildRouteTable(stateOf(function_), { ...options, ...change }).functions[function_.name]!;
}

test("an entry holds what the runtime needs to load the version", () => {
  assert.deepEqual(entryOf(routed({ generation: 3 })), {
    latest: "v1",
    aliases: {},
    versions: {
      v1: {
        id: "v1",
        artifact: "v1",
        compatibilityDate: "2026-08-01",
        compatibilityFlags: ["nodejs_compat"],
        vars: { A: "a", B: { c: 1 } },
        entrypoints: ["default"],
        egress: "public",
        generation: 3,
        databases: { D1: "db.2" },
      },
    },
    history: [{ seq: 1, version: "v1" }],
    hosts: [],
  });
});

const closed = { ...manifest, previewUrls: false };
const reach: [string, RoutedVersion, Partial<RouteOptions>, boolean][] = [
  ["replaced within the retention", version("v0", { replacedAt: NOW - 7 * DAY + 1 }), {}, true],
  ["replaced as long ago as the retention", version("v0", { replacedAt: NOW - 7 * DAY }), {}, false],
  ["replaced long ago, retention 0", version("v0", { replacedAt: 0 }), { previewRetention: 0 }, true],
  ["replaced, without preview URLs", version("v0", { replacedAt: NOW, manifest: closed }), {}, false],
  ["never deployed", version("v0", { deployed: false }), {}, true],
  ["never deployed, without preview URLs", version("v0", { deployed: false, manifest: closed }), {}, false],
];
for (const [name, other, change, expected] of reach) {
  test(`a version ${name} is ${expected ? "" : "not "}reachable (B3)`, () => {
    const entry = entryOf(routed({ versions: [version("v1"), other] }), change);
    assert.equal(Object.hasOwn(entry.versions, "v0"), expected);
  });
}

test("what serves and what an alias names is reachable always", () => {
  const old = { replacedAt: 0, manifest: closed };
  const versions = [version("v0", old), version("v1", old)];
  const entry = entryOf(routed({ versions, aliases: { stable: "v0" } }));
  assert.deepEqual(Object.keys(entry.versions), ["v0", "v1"]);
  assert.deepEqual(entry.aliases, { stable: "v0" });
});

const states: [RoutedFunction["state"], RouteEntry["blocked"]][] = [
  ["ready", undefined],
  ["failed", undefined],
  ["pinned", undefined],
  ["rolled-back", undefined],
  ["suspended", "suspended"],
  ["quarantined", "quarantined"],
];
for (const [state, blocked] of states) {
  test(`a function that is ${state} keeps its latest version and is ${blocked ? "blocked" : "not blocked"}`, () => {
    const entry = entryOf(routed({ state }));
    assert.equal(entry.latest, "v1");
    assert.equal(entry.blocked, blocked);
  });
}

test("removed functions, second declarations and names that no host can have are not in the table", () => {
  const names = [
    routed({ state: "removed" }),
    routed({ name: "second", state: "name-taken" }),
    routed({ name: "Not A Name", state: "failed", latest: null, versions: [] }),
    routed({ name: "__proto__", state: "failed", latest: null, versions: [] }),
  ];
  assert.deepEqual(buildRouteTable(stateOf(...names), options).functions, {});
});

test("a function that never loaded is known, with nothing to serve", () => {
  const entry = entryOf(routed({ state: "failed", latest: null, versions: [], history: [] }));
  assert.deepEqual(entry, { latest: null, aliases: {}, versions: {}, history: [], hosts: [] });
});

const none = { ...manifest, egress: "none" as const };
const egress: [string, Manifest, string[], string, string][] = [
  ["without rule", manifest, [], "public", "public"],
  ["with a rule of its name", manifest, ["main/hello"], "private", "public"],
  ["with a rule of its account", manifest, ["main/*"], "private", "public"],
  ["with a rule of another account", manifest, ["ann/*", "ann/hello"], "public", "public"],
  ["with a rule of a name that only begins alike", manifest, ["main/hell", "main/hello-2", "*"], "public", "public"],
  ["that wants none, with a rule", none, ["main/*"], "none", "none"],
];
for (const [name, wanted, privateEgress, latest, preview] of egress) {
  test(`a function ${name} reaches ${latest}, its other versions ${preview}`, () => {
    const versions = [version("v1", { manifest: wanted }), version("v0", { manifest: wanted })];
    const entry = entryOf(routed({ versions, aliases: { stable: "v0", also: "v1" } }), { privateEgress });
    assert.equal(entry.versions.v1?.egress, latest);
    assert.equal(entry.versions.v0?.egress, preview);
  });
}

test("history names reachable versions only, without repetitions, from the oldest revision on", () => {
  const history = [
    { seq: 1, version: "v1" },
    { seq: 2, version: "gone" },
    { seq: 3, version: null },
    { seq: 4, version: "v1" },
    { seq: 6, version: "gone" },
    { seq: 7, version: "v1" },
  ];
  const all = entryOf(routed({ history })).history;
  assert.deepEqual(all, [
    { seq: 1, version: "v1" },
    { seq: 2, version: null },
    { seq: 4, version: "v1" },
    { seq: 6, version: null },
    { seq: 7, version: "v1" },
  ]);
  const revisions = [{ seq: 5, commit: "b".repeat(40) }];
  const later = buildRouteTable({ ...stateOf(routed({ history })), revisions }, options).functions.hello?.history;
  assert.deepEqual(later, all.slice(2));
});

test("the table has the newest revisions only", () => {
  const revisions = Array.from({ length: MAX_REVISIONS + 5 }, (_, seq) => ({ seq, commit: "a".repeat(40) }));
  const table = buildRouteTable({ ...stateOf(), revisions }, options);
  assert.equal(table.revisions.length, MAX_REVISIONS);
  assert.equal(table.revisions[0]?.seq, 5);
});

test("custom hosts go to the function that claimed them first", () => {
  const hosts = { "shop.example.com": 2, "a.base.example": 1 };
  const state = stateOf(routed({ hosts }), routed({ name: "late", hosts: { "shop.example.com": 3 } }));
  const { functions } = buildRouteTable(state, options);
  assert.deepEqual([functions.hello?.hosts, functions.late?.hosts], [["shop.example.com"], []]);
});

test("entries that did not change are the same objects as before", () => {
  const before = buildRouteTable(stateOf(routed(), routed({ name: "other" })), options);
  const state = stateOf(routed(), routed({ name: "other", generation: 1 }));
  const after = buildRouteTable(state, options, before);
  assert.equal(after.functions.hello, before.functions.hello);
  assert.notEqual(after.functions.other, before.functions.other);
});

test("a change tells what became different, what is gone, and the new revisions", () => {
  const before = buildRouteTable(stateOf(routed(), routed({ name: "gone" }), routed({ name: "same" })), options);
  const state = stateOf(routed({ generation: 1 }), routed({ name: "same" }), routed({ name: "new" }));
  const revision = { seq: 2, commit: "b".repeat(40) };
  const after = buildRouteTable(
    { ...state, generation: 6, revisions: [...state.revisions, revision] },
    options,
    before,
  );
  assert.deepEqual(diffRouteTables(before, after), {
    from: 5,
    to: 6,
    functions: { hello: after.functions.hello, new: after.functions.new, gone: null },
    revisions: [revision],
  });
});

test("tables that serve the same differ in nothing, whatever their generations", () => {
  const before = buildRouteTable(stateOf(routed()), options);
  const after = buildRouteTable({ ...stateOf(routed()), generation: 9 }, options);
  assert.equal(diffRouteTables(before, after), null);
  assert.equal(diffRouteTables(JSON.parse(JSON.stringify(before)), after), null);
});

const anyFunction = fc.record({
  name: fc.constantFrom("a", "b", "constructor", "to-string"),
  state: fc.constantFrom<RoutedFunction["state"]>("ready", "failed", "suspended", "removed"),
  generation: fc.nat(2),
  hosts: fc.dictionary(fc.constantFrom("x.example", "y.example"), fc.nat(3)),
});
const anyState = fc.record({
  functions: fc.uniqueArray(anyFunction, { selector: ({ name }) => name }).map((list) => list.map((f) => routed(f))),
  revisions: fc.nat(4).map((length) => Array.from({ length }, (_, seq) => ({ seq, commit: `${seq}` }))),
});

function applied(table: RouteTable, after: RouteTable): RouteTable {
  const change = diffRouteTables(table, after);
  if (!change) return table;
  const functions = { ...table.functions };
  for (const [name, entry] of Object.entries(change.functions)) {
    if (entry) functions[name] = entry;
    else delete functions[name];
  }
  return { generation: change.to, functions, revisions: [...table.revisions, ...change.revisions] };
}

test("a change applied to the table before gives the table after", () => {
  fc.assert(
    fc.property(anyState, anyState, (first, second) => {
      const revisions = second.revisions.length < first.revisions.length ? first.revisions : second.revisions;
      const before = buildRouteTable({ generation: 1, ...first }, options);
      const after = buildRouteTable({ generation: 2, ...second, revisions }, options, before);
      const { functions, revisions: kept } = applied(before, after);
      assert.deepEqual({ ...functions }, { ...after.functions });
      assert.deepEqual(kept, after.revisions);
    }),
  );
});

test("entries that are kept while time, revisions, hosts and options change are those that would be made anew", () => {
  const history = [1, 2, 3, 4, 5].map((seq) => ({ seq, version: `v${(seq % 3) + 1}` }));
  const versions = [version("v1"), version("v2", { replacedAt: NOW }), version("v3", { replacedAt: NOW + 2 * DAY })];
  const hello = routed({ history, versions, hosts: { "x.example": 2 } });
  const other = [1, 3].map((since) => routed({ name: "other", hosts: { "x.example": since } }));
  const step = fc.record({
    day: fc.constantFrom(-1, 6, 8, 12),
    oldest: fc.nat(6),
    other: fc.constantFrom(...other),
    privateEgress: fc.constantFrom<string[]>([], ["main/*"]),
    previewRetention: fc.constantFrom(0, 7 * DAY),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1 }), (steps) => {
      for (const { day, oldest, other, ...change } of steps) {
        const revisions = [{ seq: oldest, commit: "c" }];
        const now = { ...options, ...change, now: NOW + day * DAY };
        const state = { ...stateOf(hello, other), revisions };
        assert.deepEqual(buildRouteTable(state, now), buildRouteTable(structuredClone(state), now));
      }
    }),
  );
});

test("a function with workers_dev = false is not served under the base domain, only on its own hosts", () => {
  const table = (workersDev: boolean, settings: RoutedFunction["settings"] = {}) =>
    entryOf(routed({ settings, versions: [version("v1", { manifest: { ...manifest, workersDev } })] }));
  assert.equal(table(false).offBase, true);
  assert.equal(table(true).offBase, undefined);
  assert.equal(table(true, { enabled: false }).offBase, true);
  assert.equal(table(false, { enabled: true }).offBase, undefined);
});

test("secrets of a function are for what serves or has served: what git built and nobody deployed gets none (B8)", () => {
  const secrets = { KEY: "sealed" };
  const never = version("v2", { secrets, deployed: false });
  const entry = entryOf(
    routed({
      aliases: { staging: "v2" },
      versions: [version("v1", { secrets }), never, version("v3", { secrets, deployed: false, isUpload: true })],
    }),
  );
  const has = Object.entries(entry.versions).map(([id, spec]) => [id, spec.secrets !== undefined]);
  assert.deepEqual(has, [
    ["v1", true],
    ["v2", false],
    ["v3", true],
  ]);
  const split = [
    { version: "v1", percentage: 90 },
    { version: "v2", percentage: 10 },
  ];
  const divided = entryOf(routed({ split, versions: [version("v1"), never] }));
  assert.deepEqual(divided.versions.v2?.secrets, { owner: "id-of-hello", values: secrets });
});
