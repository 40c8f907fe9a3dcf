import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ANN, answers, type DirectAgent, failsWith, ref, secret, startDirect, TELLS_ENV } from "./direct.js";

let direct: DirectAgent;

before(async () => {
  direct = await startDirect();
});
after(() => direct?.stop());

test("an upload is reachable by its own host, serves only when it is deployed, and stays when another one comes", async () => {
  const { deploys } = direct.agent;
  const first = await direct.upload("hello", { code: answers("one"), message: "the first" });
  assert.equal(typeof first.startup, "number");
  assert.deepEqual([first.upload?.number, first.upload?.author, first.percentage], [1, "ann", 0]);
  assert.equal((await direct.request("hello")).status, 503);
  assert.equal(await direct.text(`${first.id.slice(0, 8)}--hello`), "one");
  const deployed = await deploys.deploy(
    ref("hello"),
    { versions: [{ version: first.id, percentage: 100 }], force: false },
    ANN,
  );
  assert.deepEqual([deployed.cause, deployed.from, deployed.to], ["api", null, first.id]);
  assert.deepEqual([deployed.credential, deployed.address], [ANN.credential, ANN.address]);
  assert.equal(await direct.text("hello"), "one");
  const second = await direct.deploy("hello", { code: answers("two") });
  assert.equal(await direct.text("hello"), "two");
  assert.equal(await direct.text(`${first.id.slice(0, 8)}--hello`), "one");
  assert.deepEqual(
    deploys.versions(ref("hello")).map(({ id, percentage, upload }) => [id, percentage, upload?.number]),
    [
      [second.id, 100, 2],
      [first.id, 0, 1],
    ],
  );
  assert.deepEqual(
    deploys.deployments(ref("hello")).map(({ to }) => to),
    [second.id, first.id],
  );
});

test("a secret reaches the function and nobody else", async () => {
  await direct.deploy("vault", {
    code: TELLS_ENV,
    bindings: [secret("TOKEN", "hunter2-canary"), { kind: "text", name: "A", text: "a" }],
  });
  assert.deepEqual(JSON.parse(await direct.text("vault")), { TOKEN: "hunter2-canary", A: "a" });
  assert.deepEqual(direct.agent.deploys.secrets(ref("vault")), ["TOKEN"]);
});

test("what does not load is not stored", async () => {
  await assert.rejects(direct.upload("broken", { code: "null.x;" }), failsWith("ERR_LOAD"));
  assert.throws(() => direct.agent.deploys.versions(ref("broken")), failsWith("ERR_NOT_FOUND"));
});

test("an account has no more functions by hand than the operator allows, and the others still have room", async (t) => {
  const small = await startDirect({ env: { ACCOUNT_MAX_FUNCTIONS: "1" } });
  t.after(() => small.stop());
  await small.deploy("one", { code: answers("one") });
  await assert.rejects(small.upload("two", { code: answers("two") }), failsWith("ERR_CONFLICT"));
  await small.deploy("one", { code: answers("again") });
  await small.deploy("anns", { code: answers("anns") }, "ann");
  assert.deepEqual([await small.text("one"), await small.text("anns")], ["again", "anns"]);
});
