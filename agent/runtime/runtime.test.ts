import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { WrkstError } from "../errors.js";
import { identityOf, isRunning } from "./identity.js";
import { routerConfig, testRuntime, until } from "./testing.js";

test("serves, answers control calls, and leaves nothing behind when it is stopped", async (t) => {
  const { runtime, dataDir, ask } = await testRuntime(t);
  await runtime.start();
  assert.equal(await ask("hello"), "hello");
  assert.equal((await runtime.state()).generation, 1);
  const change = { from: 1, to: 2, functions: {}, revisions: [] };
  assert.deepEqual(await runtime.change(change), {
    generation: 2,
    isolates: 2,
    evictions: 0,
    coldLoads: 0,
    functions: 5,
    requests: 1,
  });
  assert.equal(await runtime.change(change), "out-of-step");
  assert.equal((await runtime.replace({ generation: 9, functions: {}, revisions: [] })).generation, 9);
  await runtime.evict(["hello"]);
  assert.equal((await runtime.state()).evictions, 1);
  const identity = identityOf(runtime.status().pid!)!;
  assert.ok(existsSync(join(dataDir, "run", `workerd-${identity.pid}.json`)));
  await runtime.stop();
  assert.equal(isRunning(identity), false);
  assert.equal(runtime.status().state, "stopped");
  assert.equal(existsSync(join(dataDir, "run", `workerd-${identity.pid}.json`)), false);
  await assert.rejects(runtime.state(), { code: "ERR_RUNTIME" });
});

test("gives the runtime nothing of the agent's environment", async (t) => {
  process.env.WRKST_TEST_CANARY = "secret";
  const { runtime, dataDir } = await testRuntime(t);
  await runtime.start();
  if (process.platform === "linux") {
    const environment = await readFile(`/proc/${runtime.status().pid}/environ`, "utf8");
    assert.deepEqual(environment.split("\0").filter(Boolean).sort(), ["TZ=UTC", `WRKST_RUNTIME_OF=${dataDir}`]);
  }
});

test("starts the runtime again when it is killed, and says why", async (t) => {
  const { runtime, ask, event } = await testRuntime(t);
  await runtime.start();
  const { pid } = runtime.status();
  process.kill(pid!, "SIGKILL");
  await event("runtime.crashed");
  await event("runtime.started", 2);
  assert.equal(await ask("hello"), "hello");
  assert.notEqual(runtime.status().pid, pid);
  assert.equal(runtime.status().restarts, 1);
  assert.match(runtime.status().lastRestart!.reason, /SIGKILL/);
});

test("lets control calls wait for the restart, and takes a change that the new process has read as done", async (t) => {
  const { runtime, event } = await testRuntime(t);
  await runtime.start();
  process.kill(runtime.status().pid!, "SIGKILL");
  const answers = await Promise.all([
    runtime.change({ from: 0, to: 1, functions: {}, revisions: [] }),
    runtime.change({ from: 5, to: 6, functions: {}, revisions: [] }),
    runtime.state(),
  ]);
  assert.equal(answers[1], "out-of-step");
  assert.equal(answers[2].generation, 1);
  await event("runtime.started", 2);
});

test("kills a runtime that a function froze; at the second time names the function, when it was alone", async (t) => {
  const { runtime, ask, event, events } = await testRuntime(t);
  await runtime.start();
  await assert.rejects(ask("loop"));
  await event("runtime.hung");
  await event("runtime.started", 2);
  assert.equal(await ask("hello"), "hello");
  assert.equal(
    events.some(({ kind }) => kind === "runtime.culprit"),
    false,
  );
  await assert.rejects(ask("loop"));
  assert.deepEqual((await event("runtime.culprit")).suspects, ["loop"]);
  await event("runtime.started", 3);
  assert.equal(await ask("hello"), "hello");
});

test("reports several that were in flight as suspects and accuses none of them", async (t) => {
  const { runtime, ask, enter, event, events } = await testRuntime(t);
  await runtime.start();
  for (const round of [1, 2, 3]) {
    if (round > 1) await enter("waits");
    await assert.rejects(ask("loop"));
    await event("runtime.started", round + 1);
  }
  assert.deepEqual((await event("runtime.suspects", 2)).suspects, ["loop", "waits"]);
  assert.equal(
    events.some(({ kind }) => kind === "runtime.culprit"),
    false,
  );
});

test("does not accuse the one in flight when another looped after its answer", async (t) => {
  const { runtime, ask, enter, event, events } = await testRuntime(t);
  await runtime.start();
  await assert.rejects(ask("loop"));
  await event("runtime.started", 2);
  const victim = await enter("waits");
  assert.equal(await ask("later"), "later");
  await victim.answer;
  assert.deepEqual((await event("runtime.suspects")).suspects, ["later", "waits"]);
  await event("runtime.started", 3);
  assert.equal(await ask("later"), "later");
  assert.deepEqual((await event("runtime.culprit")).suspects, ["later"]);
  assert.equal(events.filter(({ kind }) => kind === "runtime.suspects").length, 1);
});

test("does not believe what a function prints about others", async (t) => {
  const { runtime, ask, event } = await testRuntime(t);
  await runtime.start();
  await assert.rejects(ask("loop"));
  await event("runtime.started", 2);
  await assert.rejects(ask("forges"));
  assert.deepEqual((await event("runtime.culprit")).suspects, ["forges"]);
});

test("does not take its own lateness for a hang", async (t) => {
  const { runtime, events, ask } = await testRuntime(t);
  await runtime.start();
  for (let round = 0; round < 2; round++) {
    const until = Date.now() + 800;
    while (Date.now() < until);
    assert.equal(await ask("hello"), "hello");
  }
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["runtime.started"],
  );
});

test("limits what a function can write to the log", async (t) => {
  const { runtime, ask, log } = await testRuntime(t);
  await runtime.start();
  assert.equal(await ask("chatty"), "said");
  await runtime.stop();
  assert.ok(log.lines.length < 100, `${log.lines.length} lines`);
  assert.ok(log.lines.some(({ message }) => /^9\d\d more lines/.test(message)));
});

test("unloads functions above the memory limit, then replaces the process", async (t) => {
  const { runtime, event, ask } = await testRuntime(t, { memoryLimit: 1, functionNames: () => ["hello"] });
  await runtime.start();
  await event("runtime.memory", 2);
  await event("runtime.started", 2);
  assert.equal(await ask("hello"), "hello");
  assert.match(runtime.status().lastRestart!.reason, /memory/);
});

test("says so when the port is taken", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const publicAddress = `127.0.0.1:${port}`;
  const { runtime } = await testRuntime(t, {
    publicAddress,
    writeConfig: async () => routerConfig({ runDir: "/tmp", address: publicAddress }),
  });
  await assert.rejects(runtime.start(), (error: WrkstError) => {
    assert.equal(error.code, "ERR_RUNTIME");
    assert.ok(error.message.includes(publicAddress) && error.message.includes("already in use"));
    assert.match(error.hint!, /PORT=/);
    return true;
  });
  assert.equal(runtime.status().state, "stopped");
});

test("throws what is wrong with the configuration at the first start, and keeps trying later", async (t) => {
  const first = await testRuntime(t, { writeConfig: async () => "nonsense\n" });
  await assert.rejects(first.runtime.start(), { code: "ERR_RUNTIME", message: /Parse error/ });
  let isBroken = false;
  const writeConfig = async () => (isBroken ? "nonsense\n" : routerConfig({ runDir: join(later.dataDir, "run") }));
  const later = await testRuntime(t, { writeConfig });
  await later.runtime.start();
  isBroken = true;
  process.kill(later.runtime.status().pid!, "SIGKILL");
  await later.event("runtime.start-failed", 2);
  assert.equal(later.runtime.isRunning(), false);
  isBroken = false;
  await later.event("runtime.started", 2);
  assert.equal(await later.ask("hello"), "hello");
});

test("starts over the socket that a killed runtime left behind", async (t) => {
  const { runtime, dataDir, ask } = await testRuntime(t);
  await writeFile(join(dataDir, "run", "control.sock"), "");
  await runtime.start();
  assert.equal(await ask("hello"), "hello");
});

test("stops while it is being restarted", async (t) => {
  const { runtime, event } = await testRuntime(t);
  await runtime.start();
  process.kill(runtime.status().pid!, "SIGKILL");
  await event("runtime.crashed");
  await runtime.stop();
  assert.equal(runtime.status().state, "stopped");
  await until(() => runtime.status().pid === null, "no process");
});
