import assert from "node:assert/strict";
import { test } from "node:test";
import type { FunctionRecord } from "../store/index.js";
import { keptTogether } from "./atomic.js";
import type { StepResult } from "./pass.js";

const step = (name: string) => ({ declaration: { name } });
const switching = (name: string, more: object = {}) =>
  ({ kind: "switch", step: step(name), version: { id: `${name} 2` }, warnings: [], ...more }) as unknown as StepResult;
const failing = (name: string) =>
  ({ kind: "fail", step: step(name), error: { code: "ERR_BUNDLE", message: "no" } }) as unknown as StepResult;
const keeping = (name: string) => ({ kind: "keep", step: step(name), version: "k" }) as unknown as StepResult;
const serving = (latest: string) => ({ latest, removedAt: null }) as unknown as FunctionRecord;
const wordsOf = (results: StepResult[]) =>
  results.map((result) => (result.kind === "fail" ? `${result.error.code}: ${result.error.message}` : result.kind));

test("without a failure everything of a revision moves", () => {
  const results = [switching("a"), keeping("b")];
  assert.equal(keptTogether(results, new Map()), results);
});

test("one failure keeps back what would move, and nothing that serves already", () => {
  const records = new Map([["same", serving("same 2")]]);
  const results = [failing("bad"), switching("a"), keeping("b"), switching("same")];
  assert.deepEqual(wordsOf(keptTogether(results, records)), [
    "ERR_BUNDLE: no",
    'ERR_CONFLICT: kept back: all functions of the source switch together, and "bad" failed',
    "keep",
    "switch",
  ]);
});

test("of many failures some are named, and migrations that were applied are told", () => {
  const migrated = [{ database: { name: "shop" }, applied: ["0001_a.sql"] }];
  const results = [..."vwxyz"].map(failing).concat(switching("a", { migrated }));
  assert.match(
    wordsOf(keptTogether(results, new Map())).at(-1) ?? "",
    /and "v", "w", "x" and 2 more failed; its migrations are applied: "shop" has 0001_a\.sql$/,
  );
});
