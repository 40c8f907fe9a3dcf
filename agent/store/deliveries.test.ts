import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_DELIVERIES } from "./deliveries.js";
import { openRegistry } from "./registry.js";
import { DAY, newRegistry } from "./test-registry.js";

test("a delivery that was handled is known over a restart, until its time is over (C3)", (t) => {
  const { registry, file, clock } = newRegistry(t);
  registry.deliveries.addDelivery("default github 1");
  registry.close();
  const again = openRegistry(file, { now: () => clock.now });
  t.after(() => again.close());
  assert.equal(again.deliveries.delivered("default github 1"), true);
  assert.equal(again.deliveries.delivered("default github 2"), false);
  clock.now += 30 * DAY;
  assert.equal(again.deliveries.delivered("default github 1"), false);
  again.deliveries.addDelivery("default github 1");
  assert.equal(again.deliveries.delivered("default github 1"), true);
});

test("only the newest deliveries are known", (t) => {
  const { registry } = newRegistry(t);
  for (let number = 0; number <= MOST_DELIVERIES; number++) registry.deliveries.addDelivery(`d ${number}`);
  assert.deepEqual(
    [0, 1, MOST_DELIVERIES].map((number) => registry.deliveries.delivered(`d ${number}`)),
    [false, true, true],
  );
});
