import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { WrkstError } from "../errors.js";
import { identityOf, isRunning, killGroup } from "./identity.js";
import { endOrphans, lockDataDir } from "./lock.js";
import { removeSockets } from "./run-folder.js";
import { temporaryFolder, testRuntime } from "./testing.js";

const FAKE_AGENT = fileURLToPath(new URL("./fake-agent.js", import.meta.url));

async function startAgent(t: TestContext): Promise<{ dataDir: string; agent: ChildProcess; runtimePid: number }> {
  const dataDir = await temporaryFolder(t, async () => {
    agent.kill("SIGKILL");
    if (identity) await killGroup(identity);
  });
  const agent = spawn(process.execPath, [FAKE_AGENT, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(agent.stdout!, "data")) as [Buffer];
  const runtimePid = Number(line.toString());
  const identity = identityOf(runtimePid);
  return { dataDir, agent, runtimePid };
}

test("locks the data folder against a second agent, and names the first", async (t) => {
  const { dataDir, agent } = await startAgent(t);
  await assert.rejects(lockDataDir(dataDir), (error: WrkstError) => {
    assert.equal(error.code, "ERR_DATA_DIR_LOCKED");
    assert.match(error.message, new RegExp(`pid ${agent.pid}`));
    return true;
  });
});

test("the lock is free again after its release, and in the same process too only then", async (t) => {
  const dataDir = await temporaryFolder(t);
  const lock = await lockDataDir(dataDir);
  await assert.rejects(lockDataDir(dataDir), { code: "ERR_DATA_DIR_LOCKED" });
  await lock.release();
  await (await lockDataDir(dataDir)).release();
});

test("says what is wrong with a data folder that cannot be written", async (t) => {
  const dataDir = await temporaryFolder(t);
  await writeFile(join(dataDir, "run"), "not a folder");
  await assert.rejects(lockDataDir(dataDir), { code: "ERR_CONFIG" });
});

for (const isRecorded of [true, false]) {
  const which = isRecorded ? "" : ", also one that there is no note of";
  const skip = !isRecorded && process.platform !== "linux";
  test(`finds and ends the runtime of an agent that was killed${which}`, { skip }, async (t) => {
    const { dataDir, agent, runtimePid } = await startAgent(t);
    const runtime = identityOf(runtimePid)!;
    agent.kill("SIGKILL");
    await once(agent, "exit");
    assert.ok(isRunning(runtime));
    if (!isRecorded) await rm(join(dataDir, "run", `workerd-${runtimePid}.json`));
    const lock = await lockDataDir(dataDir);
    t.after(() => lock.release());
    assert.deepEqual(await endOrphans(dataDir), [runtimePid]);
    assert.equal(isRunning(runtime), false);
    assert.ok(existsSync(join(dataDir, "run", "control.sock")));
    await removeSockets(join(dataDir, "run"));
    assert.deepEqual(
      (await readdir(join(dataDir, "run"))).filter((name) => /sock|workerd-/.test(name)),
      [],
    );
  });
}

test("leaves a process alone that only has the pid of a former runtime", async (t) => {
  const { runtime } = await testRuntime(t);
  await runtime.start();
  const dataDir = await temporaryFolder(t);
  const { pid } = runtime.status();
  await mkdir(join(dataDir, "run"));
  await writeFile(join(dataDir, "run", `workerd-${pid}.json`), JSON.stringify({ pid, start: "another boot:1" }));
  assert.deepEqual(await endOrphans(dataDir), []);
  assert.ok(runtime.isRunning());
});
