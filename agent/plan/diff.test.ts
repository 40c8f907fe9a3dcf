import assert from "node:assert/strict";
import { test } from "node:test";
import type { Declaration, Hold, Manifest, Version } from "../model.js";
import { testManifest } from "../test-manifest.js";
import { type DiffRequest, diffSteps, isChange, pendingIn } from "./diff.js";
import type { Step } from "./plan.js";

const versionOf = (id: string, manifest: Partial<Manifest> = {}): Version => ({
  ...{ id, function: "a", account: "main", artifact: "sha256:0", size: 10, entrypoints: [], createdAt: 1 },
  manifest: testManifest({ name: "a", ...manifest }),
});
const declared = (manifest: Partial<Manifest> = {}): Declaration => ({
  ...{ folder: "a", file: "a/wrangler.toml", name: "a", warnings: [] },
  manifest: testManifest({ name: "a", ...manifest }),
});
const diff = (step: Step, more: Partial<DiffRequest> = {}) =>
  diffSteps({
    ...{ steps: [step], removals: [], serving: () => "1", version: (id: string) => versionOf(id) },
    ...{ hold: () => undefined, folderOf: () => "a", migrations: new Map(), ...more },
  })[0]!;
const pin: Hold = { alias: "latest", kind: "pin", version: "1", author: "ann", createdAt: 1 };

test("a version that serves already is no change, another known one is, with both sizes", () => {
  assert.equal(diff({ kind: "keep", declaration: declared(), version: "1" }).change, "unchanged");
  const other = diff({ kind: "reuse", declaration: declared(), version: "2" });
  assert.deepEqual([other.change, other.size, isChange(other)], ["update", { from: 10, to: 10 }, true]);
});

test("what would have to be built is a change of unknown size, and a creation where nothing serves", () => {
  const step: Step = { kind: "build", declaration: declared() };
  assert.deepEqual(diff(step).size, { from: 10, to: null });
  assert.equal(diff(step, { serving: () => undefined }).change, "create");
});

test("configuration and bindings are compared by key and name, and no var's value is told", () => {
  const step: Step = { kind: "build", declaration: declared({ minify: true, vars: { A: "2", C: "secret-ish" } }) };
  const found = diff(step, { version: (id) => versionOf(id, { vars: { A: "1", B: "x" } }) });
  assert.deepEqual(found.configuration, [{ key: "minify", from: false, to: true }]);
  assert.deepEqual(found.bindings, { added: ["C"], removed: ["B"], changed: ["A"] });
  assert.doesNotMatch(JSON.stringify(found), /secret-ish/);
});

test("what a person holds is told and is no change, also for a removal", () => {
  const held = diff({ kind: "build", declaration: declared() }, { hold: () => pin });
  assert.deepEqual([held.hold?.author, isChange(held)], ["ann", false]);
  const [removed] = diffSteps({
    ...{ steps: [], removals: ["a"], serving: () => "1", version: () => undefined },
    ...{ hold: () => pin, folderOf: () => "a", migrations: new Map() },
  });
  assert.deepEqual([removed?.change, removed?.hold?.kind, isChange(removed!)], ["remove", "pin", false]);
});

test("a declaration that is wrong fails alone, and pending files are those that are not applied", () => {
  const error = { code: "ERR_MANIFEST" as const, message: "m" };
  const failed = diff({ kind: "fail", declaration: declared(), error });
  assert.deepEqual([failed.change, failed.error, isChange(failed)], ["fail", error, false]);
  const migrations = ["1.sql", "2.sql"].map((name) => ({ name, sql: "" }));
  assert.deepEqual(pendingIn({ binding: "DB", folder: "m", table: "t", migrations }, ["1.sql"]), ["2.sql"]);
});
