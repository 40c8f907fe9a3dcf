// An agent that serves a number of small functions, and a working copy with the changes to come. Nothing here measures.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Phase } from "../agent/model.js";
import {
  createRepository,
  freePort,
  functionFiles,
  startAgent,
  type TestAgent,
  type TestRepository,
  until,
} from "../e2e/harness.js";
import { openClient } from "./client.js";
import type { Scope } from "./scope.js";

const run = promisify(execFile);
/** Milliseconds for the first sync: only the end of a bench that would hang. */
const PATIENCE = 300_000;

export interface Fleet {
  readonly size: number;
  agent: TestAgent;
  readonly dataDir: string;
  readonly port: number;
  readonly repository: TestRepository;
  /** Milliseconds from the start of the agent with all functions in its repository until all of them are served. */
  readonly firstSync: number;
  /** Ends the agent in order; `start` begins it again on the same data and port. */
  stop(): Promise<void>;
  start(env?: Record<string, string>): Promise<void>;
  /** Path of the embedded repository. */
  readonly bare: string;
  runtimePid(): Promise<number>;
}

/** Functions `fn-0` … answer their own name at first. Other files lie beside them. */
export async function startFleet(scope: Scope, size: number, others: Record<string, string> = {}): Promise<Fleet> {
  const repository = await createRepository();
  scope.defer(() => repository.remove());
  const files = Array.from({ length: size }, (_, index) => functionFiles(nameOf(index), nameOf(index)));
  await repository.commit(Object.assign({}, others, ...files), "begin");
  const dataDir = await scope.folder();
  const bare = join(dataDir, "git/functions.git");
  await createBareRepository(bare);
  await repository.git("push", "--quiet", bare, "HEAD:refs/heads/main");
  const port = await freePort();
  const start = async (env: Record<string, string> = {}) => {
    fleet.agent = await startAgent({ dataDir, port, seed: true, env, patience: PATIENCE });
  };
  const begin = performance.now();
  const agent = await startAgent({ dataDir, port, seed: true, patience: PATIENCE });
  const firstSync = performance.now() - begin;
  const fleet: Fleet = {
    ...{ size, agent, dataDir, port, repository, firstSync, bare, start },
    stop: () => fleet.agent.stop(),
    runtimePid: async () => (await fleet.agent.status()).runtime.pid ?? 0,
  };
  scope.defer(() => fleet.agent.stop());
  const broken = (await agent.status()).functions.filter(({ state }) => state !== "ready");
  if (broken.length)
    throw new Error(`${broken.length} of ${size} functions are not ready: ${JSON.stringify(broken[0])}`);
  return fleet;
}

export const nameOf = (index: number) => `fn-${index}`;
export const hostOf = (index: number) => `${nameOf(index)}.localhost`;

/** Commits that change the answer of one function one after the other; their objects are in the agent's repository. */
export async function prepareChanges(
  fleet: Fleet,
  count: number,
  index = 0,
): Promise<{ commit: string; text: string }[]> {
  const changes: { commit: string; text: string }[] = [];
  for (let change = 0; change < count; change++) {
    const text = `change ${change + 1} of ${process.hrtime.bigint()}`;
    const commit = await fleet.repository.commit(functionFiles(nameOf(index), text), text);
    changes.push({ commit, text });
  }
  return changes;
}

/** Brings the objects without moving the followed branch. */
export async function sendObjects(fleet: Fleet): Promise<void> {
  await fleet.repository.git("push", "--quiet", "--force", fleet.bare, "HEAD:refs/bench/prepared");
}

export async function updateRef(fleet: Fleet, commit: string): Promise<void> {
  await run("git", ["--git-dir", fleet.bare, "update-ref", "refs/heads/main", commit]);
}

/** Asks with short pauses, so that the one who asks takes no core from the one who works. */
export async function untilAnswered(port: number, host: string, text: string, limit = 30_000): Promise<void> {
  const client = openClient(port);
  const asks = async () => (await client.get(host).catch(() => undefined))?.text === text;
  try {
    const end = performance.now() + limit;
    while (!(await asks())) {
      if (performance.now() > end) throw new Error(`"${host}" did not answer "${text}" within ${limit} ms`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  } finally {
    client.close();
  }
}

/** Milliseconds by phase of the passes that the agent has logged so far. */
export function loggedPhases(agent: TestAgent): Partial<Record<Phase, number>>[] {
  return agent
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{") && line.includes('"phases"'))
    .map((line) => (JSON.parse(line) as { phases: Partial<Record<Phase, number>> }).phases);
}

/** Waits until the agent has done all that a change causes, so that the next one begins in peace. */
export async function untilSettled(fleet: Fleet, commit: string): Promise<void> {
  await until("the revision is the source's", async () => {
    const [source] = (await fleet.agent.status()).sources;
    return source?.revision?.endsWith(commit) ?? false;
  });
}

async function createBareRepository(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await run("git", ["init", "--bare", "--quiet", "--initial-branch=main", dir]);
}
