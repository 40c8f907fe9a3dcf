import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../errors.js";
import type { DeployContext } from "./context.js";
import { createReleasing } from "./releasing.js";

/** Releases a pin of a function of git whose newest version meets that error; which sources are woken. */
async function wokenAfter(code: ErrorCode): Promise<string[]> {
  const woken: string[] = [];
  const record = { id: "f", name: "shop", account: "main", source: "default", latest: "old", split: null };
  const registry = {
    ...{ setting: () => undefined, declaredPin: () => undefined, declaredPins: () => [], trial: () => undefined },
    ...{ suspension: () => undefined, hold: () => ({ kind: "pin" }), version: (id: string) => ({ id }) },
  };
  const context = {
    deps: { registry, wakeSource: (name: string) => woken.push(name) },
    ...{ find: () => record, givenTo: () => "new", commit: async () => undefined },
    refusalOf: async () => ({ code, message: "it did not load" }),
  };
  const { release } = createReleasing(context as unknown as DeployContext);
  const by = { name: "ann", email: null, credential: "session:1", address: "" };
  await release({ account: "main", name: "shop" }, "latest", by, "the pin was released");
  return woken;
}

test("what could not be loaded for the moment when a hold ended is tried again by a pass, what is broken is not", async () => {
  assert.deepEqual(await wokenAfter("ERR_TIMEOUT"), ["default"]);
  assert.deepEqual(await wokenAfter("ERR_LOAD"), []);
});
