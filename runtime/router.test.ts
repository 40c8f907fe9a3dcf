// The router in a real workerd: hosts, answers, what functions see.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startServing } from "./testing/workerd.js";

const HELLO = `let n = 0; export default { fetch(request, env) { return new Response("hello " + ++n); } };`;

test("a function answers at its host, from one isolate", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ hello: HELLO });
  assert.equal((await serving.get("hello.base.test")).text, "hello 1");
  assert.equal((await serving.get("HELLO.base.test:8080")).text, "hello 2");
});
