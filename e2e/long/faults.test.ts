// Faults that take long to go through: an agent killed before every step of a pass, a clock that jumps, two agents that must
// agree. Takes minutes: run by npm run test:long.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createRepository, functionFiles, startAgent, type TestAgent, type TestRepository, until } from "../harness.js";
import { isAlive, treeOf } from "../processes.js";

/** Of more steps than this, every n-th is taken, from a random one on. */
const MOST_ROUNDS = 60;
const NAMES = ["a", "b", "c"];
const preload = (name: string) => `--import ${new URL(`./${name}.js`, import.meta.url)}`;

async function place(t: TestContext) {
  const dataDir = await mkdtemp(join(tmpdir(), "wrkst-faults-"));
  const repository = await createRepository();
  t.after(() => Promise.all([repository.remove(), rm(dataDir, { recursive: true, force: true })]));
  return { dataDir, repository };
}

async function signalled(agent: TestAgent, signal: NodeJS.Signals, answer: RegExp): Promise<string> {
  const before = agent.output().length;
  agent.process.kill(signal);
  await until(`the agent says ${answer}`, () => answer.test(agent.output().slice(before)));
  return answer.exec(agent.output().slice(before))?.[1] ?? "";
}

const commitRound = (repository: TestRepository, text: string) =>
  repository.commit(Object.assign({}, ...NAMES.map((name) => functionFiles(name, text))));

const hasEnded = ({ process }: TestAgent) => process.exitCode !== null || process.signalCode !== null;

async function serves(agent: TestAgent, text: string): Promise<boolean> {
  const answers = await Promise.all(NAMES.map((name) => agent.request(name).catch(() => undefined)));
  return answers.every((answer) => answer?.text === text);
}

test("D2 an agent killed before any step of a pass serves, after its start, what git declares", async (t) => {
  const { dataDir, repository } = await place(t);
  const start = (at: number) =>
    startAgent({
      dataDir,
      env: { GIT_REPO: repository.dir, GIT_POLL_INTERVAL: "0", NODE_OPTIONS: preload("kill-at"), KILL_AT: String(at) },
    });
  await commitRound(repository, "begin");
  let agent = await start(0);
  await signalled(agent, "SIGUSR2", /counting steps/);
  await commitRound(repository, "rehearsed");
  await until("the rehearsal serves", () => serves(agent, "rehearsed"));
  const steps = Number(await signalled(agent, "SIGWINCH", /steps so far: (\d+)/));
  assert.ok(steps > 20, `${steps} steps`);
  await agent.stop();
  const stride = Math.max(1, Math.ceil(steps / MOST_ROUNDS));
  const first = 1 + Math.floor(Math.random() * stride);
  t.diagnostic(`${steps} steps, every ${stride}th from ${first} on`);
  let killed = 0;
  for (let at = first; at <= steps; at += stride) {
    const text = `round ${at}`;
    agent = await start(at);
    await signalled(agent, "SIGUSR2", /counting steps/);
    await commitRound(repository, text);
    await until("the agent was killed, or is through", async () => hasEnded(agent) || (await serves(agent, text)));
    const where = /killed before step .*/.exec(agent.output())?.[0] ?? `not killed at ${at}`;
    const left = await treeOf(agent.process.pid ?? 0).catch(() => []);
    if (hasEnded(agent)) killed += 1;
    else await agent.kill();
    agent = await start(0);
    assert.equal(await serves(agent, text), true, where);
    const { sources, functions } = await agent.status();
    assert.equal(sources[0]?.revision, `main@sha1:${await repository.git("rev-parse", "HEAD")}`, where);
    assert.deepEqual(
      functions.map(({ name, state }) => [name, state]),
      NAMES.map((name) => [name, "ready"]),
      where,
    );
    await until("nothing of the killed agent is left", () => !left.some(({ pid }) => isAlive(pid)));
    await agent.stop();
  }
  t.diagnostic(`killed ${killed} times`);
  assert.ok(killed > steps / stride / 2, `only ${killed} were killed`);
});

const DAY = 86_400_000;

test("D3 a clock that jumps by a year, forth and back, stops no push, and takes nothing away that serves", async (t) => {
  const { dataDir, repository } = await place(t);
  const file = join(dataDir, "..", `${dataDir.split("/").at(-1)}.clock`);
  t.after(() => rm(file, { force: true }));
  await writeFile(file, "0");
  const env = {
    ...{ GIT_REPO: repository.dir, GIT_POLL_INTERVAL: "200ms" },
    ...{ NODE_OPTIONS: preload("clock"), CLOCK_FILE: file },
  };
  await repository.commit({ ...functionFiles("still", "still"), ...functionFiles("hello", "one") });
  let agent = await startAgent({ dataDir, env });
  const jump = async (milliseconds: number) => {
    await writeFile(file, String(milliseconds));
    await signalled(agent, "SIGUSR2", /the clock jumped/);
  };
  try {
    for (const days of [400, -400, 0]) {
      await jump(days * DAY);
      const text = `after ${days} days`;
      await repository.commit(functionFiles("hello", text));
      await until(`"${text}" serves`, async () => (await agent.request("hello")).text === text);
      assert.equal((await agent.request("still")).text, "still");
      assert.equal((await agent.status()).sources[0]?.state, "ready");
      const report = await agent.api<{ result: string }>("/api/v1/sources/default/sync?wait=true", { method: "POST" });
      assert.notEqual(report.result, "failed");
      const sinces = (await agent.events()).map(({ id }) => id);
      assert.deepEqual(
        sinces,
        [...sinces].sort((one, other) => other - one),
      );
    }
    await writeFile(file, String(-400 * DAY));
    await agent.stop();
    agent = await startAgent({ dataDir, env });
    assert.deepEqual(
      [(await agent.request("hello")).text, (await agent.request("still")).text],
      ["after 0 days", "still"],
    );
  } finally {
    await agent.stop();
  }
});

test("two agents that follow one repository agree on the id of every version, without talking to each other", async (t) => {
  const { dataDir, repository } = await place(t);
  const other = await mkdtemp(join(tmpdir(), "wrkst-faults-"));
  t.after(() => rm(other, { recursive: true, force: true }));
  const env = { GIT_REPO: repository.dir, GIT_POLL_INTERVAL: "200ms" };
  await commitRound(repository, "one");
  const agents = [await startAgent({ dataDir, env })];
  try {
    await commitRound(repository, "two");
    await until("the first serves", () => serves(agents[0]!, "two"));
    // The second has never seen the first commit.
    agents.push(await startAgent({ dataDir: other, env }));
    const versions = async (agent: TestAgent) =>
      Object.fromEntries((await agent.status()).functions.map(({ name, version }) => [name, version]));
    for (const text of ["two", "three"]) {
      if (text !== "two") await commitRound(repository, text);
      await until(`both serve "${text}"`, async () =>
        (await Promise.all(agents.map((one) => serves(one, text)))).every(Boolean),
      );
      const [mine, theirs] = await Promise.all(agents.map(versions));
      assert.deepEqual(mine, theirs);
      assert.equal(Object.values(mine ?? {}).filter((id) => id !== null).length, NAMES.length);
    }
  } finally {
    await Promise.all(agents.map((agent) => agent.stop()));
  }
});
