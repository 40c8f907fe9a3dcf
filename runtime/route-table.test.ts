import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../agent/test-properties.js";
import { createRoutes, isRouteChange, isRouteTable, type Target } from "./route-table.js";
import { MAX_REVISIONS, type RouteEntry, type RouteTable, type VersionSpec } from "./wire.js";

const V1 = "11111111-0000-8000-8000-000000000001";
const V2 = "11111111-2222-8000-8000-000000000002";
const V3 = "abcdef01-0000-8000-8000-000000000003";
const SETTINGS = { baseDomain: "base.test", apiHosts: ["base.test", "api.test"] };

function spec(id: string): VersionSpec {
  return {
    id,
    artifact: "0".repeat(64),
    compatibilityDate: "2026-08-01",
    compatibilityFlags: [],
    vars: {},
    entrypoints: ["default"],
    egress: "public",
    generation: 0,
  };
}

function entry(changes: Partial<RouteEntry> = {}): RouteEntry {
  const versions = Object.fromEntries([V1, V2, V3].map((id) => [id, spec(id)]));
  return { latest: V1, aliases: {}, versions, history: [], hosts: [], ...changes };
}

const commit = (digits: string) => digits.padEnd(40, "0");

function routesOf(table: Partial<RouteTable>) {
  const routes = createRoutes(SETTINGS);
  routes.replace({ generation: 1, functions: {}, revisions: [], ...table });
  return routes;
}

const shown = (target: Target) =>
  target.kind === "version" ? target.spec.id : target.kind === "unavailable" ? target.reason : target.kind;

test("a host leads to alias, then version id, then commit, and to nothing where it is ambiguous or unknown", () => {
  const routes = routesOf({
    functions: {
      fn: entry({
        aliases: { beta: V2, abcdef0: V1 },
        history: [
          { seq: 1, version: V1 },
          { seq: 5, version: null },
          { seq: 8, version: V2 },
        ],
        hosts: ["shop.example"],
      }),
      "abcdef01-x": entry(),
    },
    revisions: [
      { seq: 1, commit: commit("aaaaaaa1") },
      { seq: 4, commit: commit("aaaaaaa2") },
      { seq: 6, commit: commit("bbbbbbb") },
      { seq: 9, commit: commit("ccccccc") },
      { seq: 10, commit: commit("11111111") },
      { seq: 11, commit: commit("ddddddd") },
    ],
  });
  const cases: [string, string][] = [
    ["fn.base.test", V1],
    ["FN.BASE.TEST.:80", V1],
    ["latest--fn.base.test", V1],
    ["beta--fn.base.test", V2],
    ["beta.fn.base.test", V2],
    ["abcdef0--fn.base.test", V1],
    ["abcdef01--fn.base.test", V3],
    ["abcdef01-0000--fn.base.test", V3],
    ["abcdef010000--fn.base.test", V3],
    ["11111111--fn.base.test", "none"],
    ["111111112--fn.base.test", V2],
    ["111111110--fn.base.test", V1],
    ["1111111--fn.base.test", V2],
    ["aaaaaaa1--fn.base.test", V1],
    ["aaaaaaa2--fn.base.test", V1],
    ["aaaaaaa--fn.base.test", "none"],
    ["bbbbbbb--fn.base.test", "none"],
    ["ccccccc--fn.base.test", V2],
    ["cccccc--fn.base.test", "none"],
    ["eeeeeee--fn.base.test", "none"],
    [`${commit("ccccccc")}--fn.base.test`, V2],
    ["gamma--fn.base.test", "none"],
    ["constructor--fn.base.test", "none"],
    ["constructor.base.test", "none"],
    ["unknown.base.test", "none"],
    ["shop.example", V1],
    ["Shop.Example:443", V1],
    ["beta.shop.example", "none"],
    ["api.test", "agent"],
    ["base.test:8080", "agent"],
    ["127.0.0.1", "none"],
    ["[::1]:80", "none"],
    ["evilbase.test", "none"],
  ];
  for (const [host, expected] of cases) assert.equal(shown(routes.resolve(host)), expected, host);
});

test("a commit that was deployed twice is what its latest deployment made", () => {
  const revisions = [
    { seq: 1, commit: commit("aaaaaaa") },
    { seq: 2, commit: commit("bbbbbbb") },
    { seq: 3, commit: commit("aaaaaaa") },
  ];
  const history = [
    { seq: 1, version: V1 },
    { seq: 2, version: V2 },
    { seq: 3, version: V3 },
  ];
  const routes = routesOf({ functions: { fn: entry({ history }) }, revisions });
  assert.equal(shown(routes.resolve("aaaaaaa--fn.base.test")), V3);
});

test("a blocked function is unavailable at its hosts, and unknown at those it never had", () => {
  const routes = routesOf({
    functions: {
      held: entry({ blocked: "suspended" }),
      bad: entry({ blocked: "quarantined" }),
      fresh: entry({ latest: null, versions: {} }),
    },
  });
  assert.equal(shown(routes.resolve("held.base.test")), "suspended");
  assert.equal(shown(routes.resolve("abcdef01--bad.base.test")), "quarantined");
  assert.equal(shown(routes.resolve("nope--bad.base.test")), "none");
  assert.equal(shown(routes.resolve("fresh.base.test")), "not-loaded");
});

test("a change applies only to the generation it starts from, and moves custom hosts", () => {
  const routes = routesOf({ functions: { a: entry({ hosts: ["x.test"] }), b: entry() } });
  const functions = { a: null, b: entry({ hosts: ["x.test"], latest: V2 }) };
  assert.equal(routes.change({ from: 0, to: 2, functions, revisions: [] }), false);
  assert.equal(shown(routes.resolve("x.test")), V1);
  assert.equal(routes.change({ from: 1, to: 2, functions, revisions: [] }), true);
  assert.equal(shown(routes.resolve("x.test")), V2);
  assert.equal(shown(routes.resolve("a.base.test")), "none");
  assert.equal(routes.generation, 2);
});

test("changes one by one lead to the same hosts as the whole table at once", () => {
  const names = ["a", "b", "c"];
  const someEntry = fc.record({
    latest: fc.constantFrom(null, V1, V2),
    hosts: fc.constantFrom([], ["x.test"], ["y.test"]),
    alias: fc.constantFrom(V1, V3),
  });
  const steps = fc.array(fc.dictionary(fc.constantFrom(...names), fc.option(someEntry)), { maxLength: 8 });
  fc.assert(
    fc.property(steps, (changes) => {
      const stepwise = createRoutes(SETTINGS);
      const final: Record<string, RouteEntry> = {};
      const taken = new Set<string>();
      changes.forEach((step, index) => {
        const functions: Record<string, RouteEntry | null> = {};
        for (const [name, value] of Object.entries(step)) {
          for (const host of final[name]?.hosts ?? []) taken.delete(host);
          delete final[name];
          functions[name] = null;
          if (!value) continue;
          const hosts = value.hosts.filter((host) => !taken.has(host));
          for (const host of hosts) taken.add(host);
          final[name] = entry({ latest: value.latest, hosts, aliases: { alias: value.alias } });
          functions[name] = final[name];
        }
        assert.ok(stepwise.change({ from: index, to: index + 1, functions, revisions: [] }));
      });
      const whole = routesOf({ functions: final });
      for (const host of ["x.test", "y.test", ...names.flatMap((n) => [`${n}.base.test`, `alias--${n}.base.test`])]) {
        assert.equal(shown(stepwise.resolve(host)), shown(whole.resolve(host)), host);
      }
    }),
  );
});

test("only the newest revisions are kept", () => {
  const revisions = Array.from({ length: MAX_REVISIONS + 1 }, (_, seq) => ({
    seq,
    commit: commit(`f${String(seq).padStart(6, "0")}`),
  }));
  const routes = routesOf({ functions: { fn: entry({ history: [{ seq: 0, version: V1 }] }) } });
  routes.change({ from: 1, to: 2, functions: {}, revisions });
  assert.equal(shown(routes.resolve("f000000--fn.base.test")), "none");
  assert.equal(shown(routes.resolve("f000001--fn.base.test")), V1);
});

test("a version is named only by latest and aliases, and as it would be loaded now", () => {
  const routes = routesOf({ functions: { fn: entry() } });
  assert.equal(routes.isNamed("fn", spec(V1)), true);
  assert.equal(routes.isNamed("fn", { ...spec(V1), generation: 1 }), false);
  assert.equal(routes.isNamed("fn", { ...spec(V1), egress: "private" }), false);
  assert.equal(routes.isNamed("other", spec(V1)), false);
});

test("values from outside are tables and changes only when resolving can rely on them", () => {
  const table = { generation: 1, functions: { a: entry() }, revisions: [] };
  assert.equal(isRouteTable(table), true);
  for (const wrong of [
    null,
    1,
    [],
    {},
    { ...table, functions: [] },
    { ...table, functions: { a: null } },
    { ...table, revisions: {} },
  ]) {
    assert.equal(isRouteTable(wrong), false);
  }
  const change = { from: 1, to: 2, functions: { a: null, b: entry() }, revisions: [] };
  assert.equal(isRouteChange(change), true);
  for (const wrong of [
    { ...change, from: "1" },
    { ...change, functions: { a: {} } },
    { ...change, functions: { a: { ...entry(), versions: 1 } } },
  ]) {
    assert.equal(isRouteChange(wrong), false);
  }
});

test("a function off the base domain answers on its own hosts and labels only", () => {
  const routes = routesOf({ functions: { shop: entry({ offBase: true, hosts: ["shop.example.com"] }) } });
  const answers = ["shop.base.test", "latest--shop.base.test", "shop.example.com", "abcdef01--shop.base.test"];
  assert.deepEqual(
    answers.map((host) => shown(routes.resolve(host))),
    ["none", "none", V1, V3],
  );
});
