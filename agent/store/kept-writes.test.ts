import assert from "node:assert/strict";
import { test } from "node:test";
import { openRegistry } from "./registry.js";
import { DAY, newRegistry } from "./test-registry.js";

const ref = (key: string, subject = "ann") => ({ subject, key });
const noted = (key: string, account = "ann") => ({ ...ref(key), account, request: `of ${key}` });

test("remembers a write over a restart, for a day", (t) => {
  const { registry, file, clock } = newRegistry(t);
  registry.writes.beginWrite(noted("a"));
  registry.writes.endWrite(ref("a"), { outcome: "kept", answer: "1" });
  registry.writes.beginWrite(noted("b"));
  registry.close();
  const again = openRegistry(file, { now: () => clock.now });
  t.after(() => again.close());
  assert.deepEqual(again.writes.write(ref("a")), { request: "of a", outcome: "kept", answer: "1" });
  assert.equal(again.writes.write(ref("b"))?.outcome, "begun");
  assert.equal(again.writes.write(ref("a", "bob")), undefined);
  clock.now += DAY;
  assert.equal(again.writes.write(ref("a")), undefined);
  again.writes.beginWrite(noted("a"));
  assert.equal(again.writes.write(ref("a"))?.outcome, "begun");
});

test("forgets a write that failed", (t) => {
  const { registry } = newRegistry(t);
  registry.writes.beginWrite(noted("a"));
  registry.writes.dropWrite(ref("a"));
  assert.equal(registry.writes.write(ref("a")), undefined);
});

test("keeps the newest of an account, bounded in number and bytes, and takes nothing from the others", (t) => {
  const { registry } = newRegistry(t);
  const { writes } = registry;
  writes.beginWrite({ ...noted("other"), account: "bob" });
  for (let number = 1; number <= 1001; number++) writes.beginWrite(noted(`n${number}`));
  assert.deepEqual([writes.write(ref("n1")), writes.write(ref("n2"))?.outcome], [undefined, "begun"]);
  const answer = "x".repeat(6 * 2 ** 20);
  for (const key of ["n900", "n950", "n1000"]) writes.endWrite(ref(key), { outcome: "kept", answer });
  assert.deepEqual(
    ["n2", "n900", "n949", "n950", "n1000", "other"].map((key) => writes.write(ref(key))?.outcome),
    [undefined, undefined, "begun", "kept", "kept", "begun"],
  );
});
