// Whatever is killed, breaks or is taken away: the last good state serves, what was acknowledged is there, and it says why.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { PlatformEvent, Status } from "../agent/model.js";
import { type Cli, createCli, type RunningCli } from "./cli.js";
import {
  createRepository,
  freePort,
  functionFiles,
  startAgent,
  type TestAgent,
  type TestRepository,
  until,
} from "./harness.js";
import { killDuring, MOMENTS } from "./kill.js";
import { isAlive, processesOf, startToFail, treeOf } from "./processes.js";

let agent: TestAgent;
let repository: TestRepository;
let dataDir: string;
let cli: Cli;
/** Hears what happens from the first start on. */
let following: RunningCli;

let port: number;

const start = () => startAgent({ dataDir, port, env: { RUNTIME_HANG_TIMEOUT: "1s" } });

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-crash-"));
  port = await freePort();
  [agent, repository] = await Promise.all([start(), createRepository()]);
  cli = await createCli({ WRKST_URL: `http://localhost:${port}`, WRKST_TOKEN: await agent.token() });
  following = cli.start(["events", "--follow", "--json"]);
});
after(async () => {
  following?.interrupt();
  await agent?.stop();
  await Promise.all([cli?.remove(), repository?.remove(), rm(dataDir, { recursive: true, force: true })]);
});

async function served(name: string): Promise<string> {
  const answer = await agent.request(name).catch(String);
  return typeof answer === "string" ? answer : answer.text;
}

async function pushed(files: Record<string, string | null>): Promise<string> {
  await repository.commit(files);
  const { ok, output } = await repository.push(agent);
  assert.ok(ok, output);
  assert.match(output, /live in/);
  return output;
}

async function generation(): Promise<number> {
  return (JSON.parse(await readFile(join(dataDir, "routes/table.json"), "utf8")) as { generation: number }).generation;
}

/** Status without what a restart may change. */
async function lastingStatus(): Promise<Pick<Status, "functions" | "sources">> {
  const { functions, sources } = await agent.status();
  return { functions, sources: sources.map((source) => ({ ...source, lastFetch: null })) };
}

const LOOPING = `
export default {
  fetch(request: Request): Response {
    if (new URL(request.url).pathname === "/loop") for (;;);
    return new Response("round 1");
  },
};
`;

test("a restart keeps versions, failures and removed functions, and the generation of the routes never falls", async () => {
  await pushed({
    ...functionFiles("good", "good"),
    ...functionFiles("bad", "first"),
    ...functionFiles("gone", "gone"),
  });
  await repository.commit({ "bad/index.ts": "export default {", gone: null });
  assert.match((await repository.push(agent)).output, /failed\s+bad/);
  const before = { status: await lastingStatus(), generation: await generation() };
  await agent.stop();
  agent = await start();
  assert.deepEqual(await lastingStatus(), before.status);
  assert.ok((await generation()) >= before.generation);
  assert.deepEqual([await served("good"), await served("bad")], ["good", "first"]);
  assert.equal((await agent.functionStatus("bad")).error?.code, "ERR_BUNDLE");
  await agent.api("/api/v1/functions/gone/restore", { method: "POST" });
  assert.equal(await served("gone"), "gone");
  assert.ok((await generation()) > before.generation);
  await pushed({ "bad/index.ts": 'export default { fetch: () => new Response("mended") };' });
  assert.equal(await served("bad"), "mended");
});

test("pins, rollbacks and suspensions outlive a kill, and one whose time came while the agent was off is over", async () => {
  const names = ["kept", "back", "still", "brief"];
  const all = (text: string) => Object.assign({}, ...names.map((name) => functionFiles(name, text)));
  const texts = () => Promise.all(names.map(served));
  const states = () => Promise.all(names.map(async (name) => (await agent.functionStatus(name)).state));
  const send = (path: string, method: string, body: object) =>
    agent.api(`/api/v1/functions/${path}`, {
      ...{ method, body: JSON.stringify(body), headers: { "content-type": "application/json" } },
    });
  await pushed(all("one"));
  const version = await repository.git("rev-parse", "HEAD");
  await pushed(all("two"));
  await send("kept/pins/latest", "PUT", { version, reason: "two is slow" });
  await send("back/rollback", "POST", { reason: "two is wrong" });
  await send("still/suspend", "POST", { reason: "a fair" });
  const expires = Date.now() + 6_000;
  await send("brief/pins/latest", "PUT", { version, expires: new Date(expires).toISOString() });
  await agent.kill();
  await until("the last pin's time has come", () => Date.now() > expires);
  agent = await start();
  await until("the pin that ended lets go", async () => (await served("brief")) === "two");
  assert.deepEqual(await texts(), ["one", "one", "two", "two"]);
  assert.deepEqual(await states(), ["pinned", "rolled-back", "suspended", "ready"]);
  assert.equal((await agent.functionStatus("kept")).hold?.reason, "two is slow");
  await pushed(all("three"));
  assert.deepEqual(await texts(), ["one", "three", "two", "three"]);
  await agent.kill();
  agent = await start();
  assert.deepEqual(await texts(), ["one", "three", "two", "three"]);
  const headers = { authorization: `Bearer ${await agent.token()}` };
  await agent.request("localhost", "/api/v1/functions/kept/pins/latest", { method: "DELETE", headers });
  await agent.api("/api/v1/functions/still/resume", { method: "POST" });
  assert.deepEqual(await texts(), ["three", "three", "three", "three"]);
});

/** The others are for long/kills.test.ts. */
const CHOSEN = MOMENTS.filter(({ name }) => ["while bundling", "at the switch"].includes(name));

for (const moment of CHOSEN) {
  test(`an agent killed ${moment.name} serves the pushed revision after the next start, and no runtime is left over`, async () => {
    const files = Object.assign({}, ...["a", "b", "c"].map((name) => functionFiles(name, moment.name)));
    await repository.commit(files);
    const killed = await killDuring({ agent, repository, moment });
    assert.ok(killed.before.some(({ command }) => command.includes("workerd")));
    agent = await start();
    const ended = () => killed.before.every(({ pid }) => !isAlive(pid));
    await until("all that the killed agent started has ended", ended);
    if (killed.accepted) {
      await until("the pushed revision serves", async () => (await served("a")) === moment.name);
      assert.deepEqual([await served("b"), await served("c")], [moment.name, moment.name]);
    }
    assert.equal(await served("good"), "good");
    const revision = await repository.git("rev-parse", killed.accepted ? "HEAD" : "HEAD~1");
    assert.match((await agent.status()).sources[0]?.revision ?? "", new RegExp(revision));
  });
}

test("a runtime that is killed comes back with all functions, and an event says why", async () => {
  const { pid } = (await agent.status()).runtime;
  process.kill(pid!, "SIGKILL");
  await until("the runtime is back", async () => {
    const found = await agent.status().catch(() => undefined);
    return found?.runtime.state === "running" && found.runtime.pid !== pid;
  });
  assert.deepEqual([await served("good"), await served("a")], ["good", CHOSEN.at(-1)!.name]);
  const event = (await agent.events()).find(({ kind }) => kind === "runtime.crashed");
  assert.match(event?.message ?? "", /SIGKILL/);
});

test("an endless loop costs the others a moment; who does it again is taken out of service until a new version or a person's word", async () => {
  await pushed({ ...functionFiles("looping", ""), "looping/index.ts": LOOPING });
  assert.equal(await served("looping"), "round 1");
  const freeze = async (kind: string) => {
    const { restarts } = (await agent.status()).runtime;
    await agent.request("looping", "/loop").catch(() => undefined);
    await until("the runtime is back", async () => {
      return ((await agent.status().catch(() => undefined))?.runtime.restarts ?? 0) > restarts;
    });
    await until(`an event "${kind}"`, async () => (await agent.events()).some((event) => event.kind === kind));
    assert.equal(await served("good"), "good");
  };
  await freeze("runtime.hung");
  assert.equal((await agent.functionStatus("looping")).state, "ready");
  await freeze("function.quarantined");
  const quarantined = async () => {
    const { status, text } = await agent.request("looping");
    assert.equal(status, 503);
    assert.match(text, /ERR_QUARANTINED/);
    assert.equal((await agent.functionStatus("looping")).state, "quarantined");
  };
  await quarantined();
  await pushed(functionFiles("bystander", "here"));
  await quarantined();
  await pushed({ "looping/index.ts": LOOPING.replace("round 1", "round 2") });
  assert.equal(await served("looping"), "round 2");
  await freeze("function.quarantined");
  await until("it is quarantined again", async () => (await agent.functionStatus("looping")).state === "quarantined");
  await quarantined();
  await agent.stop();
  agent = await start();
  await quarantined();
  await agent.api("/api/v1/functions/looping/resume", { method: "POST" });
  assert.equal(await served("looping"), "round 2");
});

test("a port that is taken ends the start with an error that says what to do", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-crash-"));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = server.address();
    assert.ok(address && typeof address === "object");
    const { code, output } = await startToFail({ DATA_DIR: folder, PORT: String(address.port) });
    assert.equal(code, 1);
    assert.match(output, /error: .*port/);
    assert.match(output, /hint: .*PORT/);
    assert.doesNotMatch(output, /\bat .*\.js:/);
    assert.deepEqual(await processesOf(folder), []);
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test("a second agent on the same data folder is refused and the first one does not notice", async () => {
  const { code, output } = await startToFail({ DATA_DIR: dataDir, PORT: "0" });
  assert.equal(code, 1);
  assert.match(output, new RegExp(`in use by another agent, pid ${agent.process.pid}`));
  assert.match(output, /hint: /);
  assert.equal(await served("good"), "good");
  assert.equal((await agent.status()).runtime.state, "running");
});

test("SIGTERM in the middle of a push ends the agent and all that it started", async () => {
  await repository.commit(functionFiles("a", "late"));
  const pushing = repository.push(agent);
  await until("the push is being received", async () => {
    return (await treeOf(agent.process.pid!)).some(({ command }) => command.includes("git"));
  });
  const started = await treeOf(agent.process.pid!);
  assert.ok(started.some(({ command }) => command.includes("workerd")));
  await agent.stop();
  assert.equal(agent.process.exitCode, 0, agent.output().slice(-2000));
  await pushing;
  await until("what the agent started has ended", () => !started.some(({ pid }) => isAlive(pid)));
  assert.deepEqual(await processesOf(dataDir), []);
  agent = await start();
  const { ok, output } = await repository.push(agent);
  assert.ok(ok, output);
  assert.equal(await served("a"), "late");
});

test("a damaged artifact is answered with 503 and serves again once it is mended", async () => {
  const { version } = await agent.functionStatus("good");
  const detail = await agent.api<{ versions: { id: string; artifact: string }[] }>("/api/v1/functions/good");
  const hex = detail.versions.find(({ id }) => id === version)!.artifact.replace("sha256:", "");
  const files = await readdir(join(dataDir, "artifacts"), { recursive: true });
  const file = join(dataDir, "artifacts", files.find((name) => name.endsWith(hex))!);
  const bytes = await readFile(file);
  await agent.stop();
  const damaged = Buffer.from(bytes);
  damaged[damaged.length - 10]! ^= 0xff;
  await rm(file, { force: true });
  await writeFile(file, damaged);
  agent = await start();
  const answer = await agent.request("good");
  assert.equal(answer.status, 503);
  assert.match(answer.text, /ERR_\w+/);
  assert.doesNotMatch(answer.text, new RegExp(hex.slice(0, 12)));
  assert.equal(await served("a"), "late");
  await rm(file, { force: true });
  await writeFile(file, bytes);
  await until("it serves again", async () => (await served("good")) === "good");
});

test("a route table that is cut short, deleted or not about routes is made anew from the registry", async () => {
  const file = join(dataDir, "routes/table.json");
  const before = await generation();
  await agent.stop();
  await writeFile(file, '{"generation":');
  agent = await start();
  assert.deepEqual([await served("good"), await served("a")], ["good", "late"]);
  assert.ok((await generation()) >= before);
  for (const damage of [() => rm(file, { force: true }), () => writeFile(file, "[1, 2, 3]")]) {
    await damage();
    const { pid } = (await agent.status()).runtime;
    process.kill(pid!, "SIGKILL");
    await until("another runtime runs", async () => {
      const { runtime } = await agent.status().catch(() => ({ runtime: undefined }));
      return runtime?.state === "running" && runtime.pid !== pid;
    });
    assert.equal(await served("good"), "good");
  }
});

test("a deleted work folder is made anew by the next push, while running and after a restart", async () => {
  await rm(join(dataDir, "work"), { recursive: true, force: true });
  await pushed(functionFiles("a", "without work"));
  assert.equal(await served("a"), "without work");
  await agent.stop();
  await rm(join(dataDir, "work"), { recursive: true, force: true });
  agent = await start();
  await pushed(functionFiles("a", "again without work"));
  assert.equal(await served("a"), "again without work");
});

test("who follows the events hears of each once and in order, over all of these restarts and kills", async () => {
  const heard = () =>
    idsOf(
      following
        .out()
        .split("\n")
        .flatMap((line) => (line === "" ? [] : [JSON.parse(line)])),
    );
  const [newest = 0] = idsOf(await agent.events());
  await until("the newest event was heard", () => (heard().at(-1) ?? 0) >= newest);
  const told = heard();
  const all = await eventsFrom(told[0]!);
  assert.deepEqual(told, all.slice(0, told.length));
  assert.match(following.err(), /lost the connection/);
});

const idsOf = (events: PlatformEvent[]) => events.map(({ id }) => id);

async function eventsFrom(first: number): Promise<number[]> {
  const path = `/api/v1/events?limit=200&after=${first - 1}`;
  const page = idsOf((await agent.api<{ events: PlatformEvent[] }>(path)).events);
  return page.length < 200 ? page : [...page, ...(await eventsFrom(page.at(-1)! + 1))];
}
