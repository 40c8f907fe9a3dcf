// For the tests of what survives: deploys by hand while their agent is killed again and again, each time a little later.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { FunctionDetail } from "../agent/api/platform.js";
import { freePort, startAgent, type TestAgent, until } from "./harness.js";

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

/** @throws AssertionError when something acknowledged is missing, or anything is half done */
export async function surviveDeployKills(t: TestContext, rounds: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "wrkst-deploys-"));
  const options = { dataDir, port: await freePort() };
  let agent = await startAgent(options);
  t.after(async () => {
    await agent.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  let done: Deploys = { acknowledged: 0, sent: 0 };
  for (let round = 0; round < rounds; round++) {
    const keyed = { method: "POST", headers: { "idempotency-key": `round-${round}` } };
    const sync = async () => (await agent.api<{ job: string }>("/api/v1/sources/default/sync", keyed)).job;
    let job: string | undefined;
    done = await deployUntilKilled(agent, { ...done, more: round + 1 }, async () => {
      // Somewhere in the next one.
      for (let turn = 0; turn < round * 400; turn++) await new Promise((resolve) => setImmediate(resolve));
      job = await sync();
    });
    agent = await startAgent(options);
    assert.equal(await sync(), job);
    done.acknowledged = await checkWhole(agent, done);
  }
}

/** Numbers of texts. */
interface Deploys {
  acknowledged: number;
  sent: number;
}

/** Deploys one text after the other; the agent is killed when `more` were acknowledged and `moment` has come. */
async function deployUntilKilled(
  agent: TestAgent,
  { acknowledged, sent, more }: Deploys & { more: number },
  moment: () => Promise<void>,
): Promise<Deploys> {
  const target = acknowledged + more;
  let isKilled = false;
  const deploying = (async () => {
    while (!isKilled) {
      sent++;
      await put(agent, `text ${sent}`);
      acknowledged = sent;
    }
  })().catch((error: unknown) => {
    if (!isKilled) throw error;
  });
  await until("some deploys were acknowledged", () => acknowledged >= target);
  await moment();
  isKilled = true;
  await agent.kill();
  await deploying;
  return { acknowledged, sent };
}

/** @returns the number of the text that serves */
async function checkWhole(agent: TestAgent, { acknowledged, sent }: Deploys): Promise<number> {
  const [text, secret] = (await agent.request("crashing")).text.split(/(?<=\d) (?=text)/);
  assert.equal(secret, text);
  const number = Number(text?.slice(5));
  assert.ok(number >= acknowledged && number <= sent, `serves ${number}, acknowledged ${acknowledged}, sent ${sent}`);
  const detail = await agent.api<FunctionDetail>("/api/v1/functions/crashing");
  assert.equal(detail.version, detail.deployments[0]?.to);
  for (const { id } of detail.versions) {
    assert.equal((await agent.request(`${id.slice(0, 8)}--crashing`)).status, 200, id);
  }
  return number;
}
