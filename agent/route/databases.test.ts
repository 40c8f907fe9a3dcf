import assert from "node:assert/strict";
import { test } from "node:test";
import type { RoutedDatabase, RoutedVersion } from "../model.js";
import { testManifest } from "../test-manifest.js";
import { databasesOf } from "./databases.js";
import { servingDatabases } from "./serving-databases.js";

const database = (id: string, change: Partial<RoutedDatabase> = {}): RoutedDatabase => ({
  ...{ id, name: id, epoch: 1, isRemoved: false, isOpen: true },
  ...change,
});
const own = { database: database("own") };

type Case = [string, Parameters<typeof databasesOf>, Record<string, string | RegExp>];
const cases: Case[] = [
  [
    "the function's own database is D1, beside what the version declares",
    [{ databases: { DB: database("shop", { epoch: 2 }) }, copies: {} }, own, true],
    { D1: "own.1", DB: "shop.2" },
  ],
  [
    "a declared D1 stands before the function's own",
    [{ databases: { D1: database("shop") }, copies: {} }, own, true],
    { D1: "shop.1" },
  ],
  [
    "a version that never served has its copies and nothing else",
    [{ databases: { DB: database("shop") }, copies: { shop: "copy.1" } }, own, false],
    { D1: /never served/, DB: "copy.1" },
  ],
  [
    "copies count for nothing once the version served",
    [{ databases: { DB: database("shop") }, copies: { shop: "copy.1" } }, own, true],
    { D1: "own.1", DB: "shop.1" },
  ],
  [
    "B7 a database that was removed, is not shared any more or was never found is none",
    [
      {
        databases: { GONE: database("a", { isRemoved: true }), SHUT: database("b", { isOpen: false }), NONE: null },
        copies: { b: "copy.1" },
      },
      { database: null },
      true,
    ],
    { D1: /no database/, GONE: /was removed/, SHUT: /not shared/, NONE: /no database/ },
  ],
  [
    "B7 a copy is no way around sharing",
    [{ databases: { SHUT: database("b", { isOpen: false }) }, copies: { b: "copy.1", own: "own-copy.1" } }, own, false],
    { D1: "own-copy.1", SHUT: /not shared/ },
  ],
];
for (const [name, args, expected] of cases) {
  test(name, () => {
    const found = databasesOf(...args);
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
    for (const [binding, object] of Object.entries(expected)) {
      const answer = found[binding]!;
      if (typeof object === "string") assert.equal(answer, object);
      else assert.ok(typeof answer === "object" && object.test(answer.refused), binding);
    }
  });
}

test("what serves is told with its databases by binding, and with what is wrong with one", () => {
  const databases = { SHUT: database("b", { isOpen: false }), DB: database("a"), NONE: null };
  const version: RoutedVersion = {
    ...{ id: "v1", artifact: "", manifest: testManifest(), entrypoints: [], secrets: {}, replacedAt: null },
    ...{ deployed: true, isUpload: false, databases, copies: {} },
  };
  const told = servingDatabases({ ...own, latest: "v1", versions: [version] });
  assert.deepEqual(
    told.map(({ binding, id, problem }) => [binding, id, problem !== undefined]),
    [
      ["D1", "own", false],
      ["DB", "a", false],
      ["SHUT", "b", true],
    ],
  );
  assert.deepEqual(servingDatabases({ ...own, latest: null, versions: [version] }), []);
});
