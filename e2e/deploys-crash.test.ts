// Deploys by hand against what else happens: a process that is killed at any moment, a pass that switches the same function.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { surviveDeployKills } from "./deploy-kills.js";
import { ANN, answers, type DirectAgent, failsWith, ref, secret, startDirect, TELLS_ENV } from "./direct.js";
import { createRepository, functionFiles, type TestRepository } from "./harness.js";

let repository: TestRepository;
before(async () => {
  repository = await createRepository();
});
after(() => repository?.remove());

test("D2: a deploy by hand that is killed at any moment is done or not done, and what was acknowledged stays", (t) =>
  surviveDeployKills(t, 3));

test("a pass that switches a function while a person moves it: the later word of the registry counts, and nothing is mixed", async (t) => {
  const direct: DirectAgent = await startDirect();
  t.after(() => direct.stop());
  const { deploys, platform } = direct.agent;
  const push = async (text: string) => {
    const commit = await repository.commit(functionFiles("contested", text));
    await repository.git("push", "--quiet", "--force", join(direct.dataDir, "git/functions.git"), "HEAD:main");
    return commit;
  };
  await direct.sync({ commit: await push("git 0") });
  const byHand = await direct.upload("contested", { code: answers("by hand") });
  for (let round = 1; round <= 6; round++) {
    const pass = direct.sync({ commit: await push(`git ${round}`) });
    for (let turn = 0; turn < round * 300; turn++) await new Promise((resolve) => setImmediate(resolve));
    await deploys.pin(ref("contested"), "latest", { version: byHand.id }, ANN);
    await pass;
    const [status] = (await platform.functions()).filter(({ name }) => name === "contested");
    assert.deepEqual([status?.state, status?.version], ["pinned", byHand.id]);
    assert.equal(await direct.text("contested"), "by hand");
    await deploys.unpin(ref("contested"), "latest", ANN);
    assert.equal(await direct.text("contested"), `git ${round}`);
  }
  const moves = deploys.deployments(ref("contested"));
  for (const [index, { from }] of moves.slice(0, -1).entries()) assert.equal(from, moves[index + 1]!.to);
});

test("another encryption key stops the start as long as secrets are sealed, and the right one goes on", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-key-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const start = (key: string) => startDirect({ dataDir: folder, env: { ENCRYPTION_KEY: key } });
  const [one, two] = ["first key of the test, long enough!", "second key of the test, long enough"] as const;
  const begun = await start(one);
  await begun.stop();
  const direct = await start(two);
  await direct.deploy("sealed", { code: TELLS_ENV, bindings: [secret("S", "s")] });
  await direct.stop();
  await assert.rejects(start(one), failsWith("ERR_CONFIG"));
  const again = await start(two);
  assert.equal(await again.text("sealed"), '{"S":"s"}');
  await again.stop();
});
