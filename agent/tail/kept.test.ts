import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { NewKeptLog } from "./describe.js";
import { type KeptLimits, openKeptLogs } from "./kept.js";
import { VERSION } from "./testing.js";

function openFolder(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "wrkst-kept-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "logs.sqlite");
  const damage: string[] = [];
  let now = 1_000;
  const open = (limits: Partial<KeptLimits> = {}) => {
    const onDamage = (message: string) => void damage.push(message);
    const kept = openKeptLogs(file, { retention: 500, now: () => now, onDamage, limits });
    t.after(() => kept.close());
    return kept;
  };
  const pass = (milliseconds: number) => {
    now += milliseconds;
  };
  return { file, damage, open, pass };
}

const thrown = (message: string, at = 1_000): NewKeptLog => ({
  at,
  kind: "exception",
  level: "error",
  message,
  version: VERSION,
});
const said = (message: string): NewKeptLog => ({ at: 1_000, kind: "log", level: "info", message, version: VERSION });
const messages = (logs: { message: string }[]) => logs.map(({ message }) => message);

test("answers the newest first, pages both ways, and picks by level and kind", (t) => {
  const kept = openFolder(t).open();
  kept.add("f", [thrown("a"), said("b"), thrown("c")]);
  kept.add("g", [thrown("x")]);
  const all = kept.read("f", { limit: 10 });
  assert.deepEqual(messages(all), ["c", "b", "a"]);
  assert.deepEqual(messages(kept.read("f", { limit: 1, before: all[0]!.id })), ["b"]);
  assert.deepEqual(messages(kept.read("f", { limit: 10, after: all[2]!.id })), ["b", "c"]);
  assert.deepEqual(messages(kept.read("f", { limit: 10, level: "info" })), ["b"]);
  assert.deepEqual(messages(kept.read("f", { limit: 10, kind: "exception" })), ["c", "a"]);
});

test("keeps the last of each kind of each function", (t) => {
  const kept = openFolder(t).open({ exceptions: 2, logs: 1 });
  for (const message of ["1", "2", "3"]) kept.add("f", [thrown(message), said(message)]);
  kept.add("g", [thrown("other")]);
  assert.deepEqual(messages(kept.read("f", { limit: 10 })), ["3", "3", "2"]);
  assert.deepEqual(messages(kept.read("g", { limit: 10 })), ["other"]);
});

test("takes only so many of one function at once, and only so many bytes in all", (t) => {
  const kept = openFolder(t).open({ ofOne: 5, bytes: 3_000 });
  kept.add(
    "loud",
    Array.from({ length: 100 }, () => thrown("x")),
  );
  kept.add("calm", [thrown("y")]);
  assert.equal(kept.read("loud", { limit: 100 }).length, 5);
  assert.equal(kept.read("calm", { limit: 100 }).length, 1);
  kept.add("loud", [thrown("z".repeat(4_000))]);
  assert.equal(kept.read("loud", { limit: 100 }).length + kept.read("calm", { limit: 100 }).length, 0);
});

test("forgets what is older than the retention, and is there again after a restart", (t) => {
  const { open, pass } = openFolder(t);
  const first = open();
  first.add("f", [thrown("old", 1_000), thrown("new", 1_400)]);
  first.close();
  const second = open();
  pass(600);
  second.prune();
  assert.deepEqual(messages(second.read("f", { limit: 10 })), ["new"]);
});

test("a damaged file is said and begins anew", (t) => {
  const { file, damage, open } = openFolder(t);
  writeFileSync(file, "this is no database ".repeat(500));
  const kept = open();
  kept.add("f", [thrown("a")]);
  assert.deepEqual(messages(kept.read("f", { limit: 10 })), ["a"]);
  assert.equal(damage.length, 1);
});
