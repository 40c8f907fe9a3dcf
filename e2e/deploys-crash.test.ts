// Deploys by hand against what else happens: a process that is killed at any moment, a pass that switches the same function.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { FunctionDetail } from "../agent/api/platform.js";
import { ANN, answers, type DirectAgent, failsWith, ref, secret, startDirect, TELLS_ENV } from "./direct.js";
import {
  createRepository,
  freePort,
  functionFiles,
  startAgent,
  type TestAgent,
  type TestRepository,
  until,
} from "./harness.js";

let dataDir: string;
let agent: TestAgent | undefined;
let repository: TestRepository;
before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-deploys-"));
  repository = await createRepository();
});
after(async () => {
  await agent?.stop();
  await Promise.all([rm(dataDir, { recursive: true, force: true }), repository?.remove()]);
});

const SCRIPT = "/client/v4/accounts/main/workers/scripts/crashing";

/** Creates or replaces the function as clients do: a version, and a deployment of it, in one call. */
async function put(to: TestAgent, text: string): Promise<string> {
  const form = new FormData();
  const metadata = {
    main_module: "index.js",
    bindings: [{ type: "secret_text", name: "S", text }],
    compatibility_date: "2026-08-01",
  };
  form.set("metadata", JSON.stringify(metadata));
  const code = `export default { fetch: (_r, env) => new Response(${JSON.stringify(text)} + " " + env.S) };`;
  form.set("index.js", new Blob([code], { type: "application/javascript+module" }), "index.js");
  const request = new Request("http://localhost", { method: "PUT", body: form });
  const body = new Uint8Array(await request.arrayBuffer());
  await to.api(SCRIPT, { method: "PUT", body, headers: { "content-type": request.headers.get("content-type")! } });
  return text;
}

test("D2: a deploy by hand that is killed at any moment is done or not done, and what was acknowledged stays", async () => {
  const port = await freePort();
  let acknowledged = 0;
  let sent = 0;
  for (let round = 0; round < 5; round++) {
    agent = await startAgent({ dataDir, port });
    const target = acknowledged + round;
    const running = agent;
    let isKilled = false;
    const deploying = (async () => {
      while (!isKilled) {
        sent++;
        await put(running, `text ${sent}`);
        acknowledged = sent;
      }
    })().catch((error: unknown) => {
      if (!isKilled) throw error;
    });
    await until("some deploys were acknowledged", () => acknowledged >= target + 1);
    // Somewhere in the next one: each round a little later.
    for (let turn = 0; turn < round * 400; turn++) await new Promise((resolve) => setImmediate(resolve));
    const keyed = { method: "POST", headers: { "idempotency-key": `round-${round}` } };
    const { job } = await agent.api<{ job: string }>("/api/v1/sources/default/sync", keyed);
    isKilled = true;
    await agent.kill();
    await deploying;
    agent = await startAgent({ dataDir, port });
    assert.equal((await agent.api<{ job: string }>("/api/v1/sources/default/sync", keyed)).job, job);
    const [text, secret] = (await agent.request("crashing")).text.split(/(?<=\d) (?=text)/);
    assert.equal(secret, text);
    const number = Number(text?.slice(5));
    assert.ok(number >= acknowledged && number <= sent, `serves ${number}, acknowledged ${acknowledged}, sent ${sent}`);
    acknowledged = number;
    const detail = await agent.api<FunctionDetail>("/api/v1/functions/crashing");
    assert.equal(detail.version, detail.deployments[0]?.to);
    for (const { id } of detail.versions) {
      assert.equal((await agent.request(`${id.slice(0, 8)}--crashing`)).status, 200, id);
    }
    await agent.stop();
  }
});

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
