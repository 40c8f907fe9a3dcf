// Kills an agent at a chosen moment of a push. The moments are seen from outside: in the repository, the data folder, the push's output.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type TestAgent, type TestRepository, until } from "./harness.js";
import { isAlive, type RunningProcess, treeOf } from "./processes.js";

const run = promisify(execFile);

interface Scene {
  agent: TestAgent;
  commit: string;
  /** What the pusher saw so far. */
  output(): string;
  /** Artifacts before the push. */
  artifacts: number;
  table: string;
}

export interface Moment {
  name: string;
  isNow(scene: Scene): Promise<boolean> | boolean;
}

/** In the order in which a push comes by them. */
export const MOMENTS: Moment[] = [
  { name: "when the push was just accepted", isNow: async ({ agent, commit }) => (await branchOf(agent)) === commit },
  { name: "while bundling", isNow: ({ output }) => output().includes("wrkst: main at") },
  {
    name: "after the first artifact was written",
    isNow: async ({ agent, artifacts }) => (await countArtifacts(agent)) > artifacts,
  },
  { name: "at the switch", isNow: async ({ agent, table }) => (await tableStamp(agent)) !== table },
  { name: "when the first result was told", isNow: ({ output }) => /(created|updated) /.test(output()) },
];

export interface Killed {
  /** The branch had moved when the agent was killed. */
  accepted: boolean;
  /** All that the agent had started. */
  before: RunningProcess[];
}

/** Pushes what is committed and kills the agent as soon as the moment has come, or the push is over. */
export async function killDuring(options: {
  agent: TestAgent;
  repository: TestRepository;
  moment: Moment;
}): Promise<Killed> {
  const { agent, repository, moment } = options;
  const commit = await repository.git("rev-parse", "HEAD");
  const { PATH = "" } = process.env;
  const push = spawn("git", ["push", await agent.remote(), "HEAD:main"], {
    cwd: repository.dir,
    env: { PATH, HOME: repository.dir, GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_NOSYSTEM: "1" },
  });
  const chunks: string[] = [];
  for (const stream of [push.stdout, push.stderr]) stream.on("data", (chunk) => chunks.push(String(chunk)));
  const over = once(push, "close");
  const output = () => chunks.join("");
  const scene = { agent, commit, output, artifacts: await countArtifacts(agent), table: await tableStamp(agent) };
  while (push.exitCode === null && !(await moment.isNow(scene))) await new Promise((resolve) => setImmediate(resolve));
  const before = await treeOf(agent.process.pid!);
  await agent.kill();
  await over;
  // git that the agent had started goes on for a moment, and may still move the branch.
  const receiving = before.filter(({ command }) => /\bgit\b/.test(command));
  await until("git has ended", () => !receiving.some(({ pid }) => isAlive(pid)));
  return { accepted: (await branchOf(agent)) === commit, before };
}

async function branchOf(agent: TestAgent): Promise<string> {
  const dir = join(agent.dataDir, "git/functions.git");
  const text = await readFile(join(dir, "refs/heads/main"), "utf8").catch(() => "");
  return (
    text.trim() || (await run("git", ["-C", dir, "rev-parse", "main"]).catch(() => ({ stdout: "" }))).stdout.trim()
  );
}

async function countArtifacts(agent: TestAgent): Promise<number> {
  return (await readdir(join(agent.dataDir, "artifacts"), { recursive: true }).catch(() => [])).length;
}

async function tableStamp(agent: TestAgent): Promise<string> {
  const found = await stat(join(agent.dataDir, "routes/table.json"), { bigint: true }).catch(() => undefined);
  return found ? `${found.ino} ${found.mtimeNs}` : "";
}
