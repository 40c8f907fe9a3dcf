import assert from "node:assert/strict";
import { test } from "node:test";
import type { RoutedDatabase, RoutedFunction, RoutedVersion } from "../model.js";
import { previewsOf, uncopiedOf } from "./previews.js";

const database = (id: string, change: Partial<RoutedDatabase> = {}): RoutedDatabase => ({
  ...{ id, name: id, epoch: 1, isRemoved: false, isOpen: true },
  ...change,
});

function versionOf(id: string, change: Partial<RoutedVersion> = {}): RoutedVersion {
  const manifest = { previewUrls: true } as RoutedVersion["manifest"];
  const content = { artifact: "", manifest, entrypoints: [], secrets: {}, databases: {}, copies: {} };
  return { id, ...content, replacedAt: null, deployed: false, isUpload: true, ...change };
}

function functionOf(versions: RoutedVersion[], change: Partial<RoutedFunction> = {}): RoutedFunction {
  const named = { id: "f", account: "main", name: "f", state: "ready" as const, generation: 0, hosts: {} };
  const routed = { latest: null, split: null, settings: {}, database: null, aliases: {}, previews: [], history: [] };
  return { ...named, ...routed, versions, ...change };
}

const ids = (function_: RoutedFunction) => previewsOf(function_).map(({ id }) => id);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => versionOf(`v${index}`));

test("previews are what never served and has an address", () => {
  const versions = [
    versionOf("served", { deployed: true }),
    versionOf("latest"),
    versionOf("half"),
    versionOf("hidden", { manifest: { previewUrls: false } as RoutedVersion["manifest"] }),
    versionOf("aliased", { manifest: { previewUrls: false } as RoutedVersion["manifest"] }),
    versionOf("seen"),
  ];
  const split = [
    { version: "latest", percentage: 50 },
    { version: "half", percentage: 50 },
  ];
  const aliases = { next: "aliased", live: "latest" };
  assert.deepEqual(ids(functionOf(versions, { latest: "latest", split, aliases })), ["seen", "aliased"]);
  assert.deepEqual(ids(functionOf(versions, { latest: "latest", settings: { previews: false }, aliases })), [
    "aliased",
  ]);
});

test("of many previews the newest one, those with an alias and then the newest others count, ten in all", () => {
  const function_ = functionOf(numbered(14), { aliases: { old: "v0", older: "v2" } });
  assert.deepEqual(ids(function_), ["v13", "v2", "v0", "v12", "v11", "v10", "v9", "v8", "v7", "v6"]);
});

test("B7 a version gets copies of what it may use, each once", () => {
  const databases = {
    A: database("a"),
    B: database("a"),
    C: database("c"),
    GONE: database("gone", { isRemoved: true }),
    SHUT: database("shut", { isOpen: false }),
    NONE: null,
  };
  const version = versionOf("v", { databases, copies: { c: "copy.1" } });
  const found = uncopiedOf(version, functionOf([version], { database: database("own") }));
  assert.deepEqual(found.map(({ id }) => id).sort(), ["a", "own"]);
});
