// What the platform does by a person's word, on a real registry.

import assert from "node:assert/strict";
import { test } from "node:test";
import { manifestOf, newRegistry, push, version } from "../store/test-registry.js";
import { wantedOf } from "./bind.js";
import { Platform } from "./platform.js";

test("a function that is restored has a database again where that of its binding is gone since, and keeps the others", async (t) => {
  const { registry, clock } = newRegistry(t);
  const { databases } = registry;
  const stock = databases.create({ account: "main", name: "stock", owner: null });
  const prices = databases.create({ account: "main", name: "prices", owner: null });
  const d1Databases = [
    { binding: "STOCK", databaseName: "stock" },
    { binding: "PRICES", databaseName: "prices" },
  ];
  const first = version("shop", "1", { manifest: manifestOf("shop", { d1Databases }) });
  databases.resolve([wantedOf(registry, { ...first, createdAt: clock.now })]);
  push(registry, "a", { shop: "1" }, { versions: [first] });
  const { id } = registry.functionByName("shop")!;
  const bound = () => databases.boundTo(id, first.id);
  assert.deepEqual([bound().STOCK?.id, bound().PRICES?.id], [stock.id, prices.id]);
  push(registry, "b", { shop: null });
  databases.remove(stock.id);
  let published = 0;
  const platform = new Platform({
    registry,
    publisher: { publish: async () => void published++ },
    runtime: { status: () => ({ state: "running", pid: 1, restarts: 0, isolates: 0 }) },
    sources: () => assert.fail("no source is asked"),
    urlOf: (name) => `http://${name}.localhost`,
    now: () => clock.now,
  });
  const { state } = await platform.restore("shop", "ann");
  assert.deepEqual([state, published], ["ready", 1]);
  assert.notEqual(bound().STOCK?.id, stock.id);
  assert.equal(databases.byId(bound().STOCK?.id ?? "")?.name, "stock");
  assert.equal(bound().PRICES?.id, prices.id);
});
