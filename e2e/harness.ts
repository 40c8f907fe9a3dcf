// What the end-to-end tests stand on: a real agent as a child process, a real repository, requests with any host.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../agent/api/test-port.js";
import type { FunctionStatus, PlatformEvent, Status } from "../agent/model.js";

export { freePort };

const MAIN = new URL("../agent/main.js", import.meta.url).pathname;
const run = promisify(execFile);

/** RUNTIME_HANG_TIMEOUT where no test is about it: on cores that other tests use as well, a runtime that is late does not hang. */
export const PATIENCE = "30s";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

export interface TestAgent {
  readonly port: number;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** All that the agent wrote to stdout and stderr so far. */
  output(): string;
  token(): Promise<string>;
  /** A request to the public port with the host given (`hello` stands for `hello.localhost`). */
  request(host: string, path?: string, options?: RequestOptions): Promise<Answer>;
  /** A request to the API with the admin token. */
  api<T>(path: string, options?: RequestOptions): Promise<T>;
  status(): Promise<Status>;
  functionStatus(name: string): Promise<FunctionStatus>;
  events(): Promise<PlatformEvent[]>;
  /** URL for git, with the token in it. */
  remote(): Promise<string>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export interface AgentOptions {
  /** Kept between agents when given; otherwise made and removed. */
  dataDir?: string;
  port?: number;
  env?: Record<string, string>;
  /** Fill the embedded repository from the examples, as a first start does. Off: it begins empty. */
  seed?: boolean;
  /** Milliseconds until it must be ready; 180,000 unless told. */
  patience?: number;
}

/** Starts an agent and waits until it is ready. */
export async function startAgent(options: AgentOptions = {}): Promise<TestAgent> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "wrkst-e2e-")));
  const port = options.port ?? (await freePort());
  if (!options.seed) await createEmptyRepository(dataDir);
  const child = spawn(process.execPath, ["--enable-source-maps", MAIN], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      HOST: "127.0.0.1",
      PORT: String(port),
      DATA_DIR: dataDir,
      RUNTIME_HANG_TIMEOUT: PATIENCE,
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(String(chunk)));
  const agent = createTestAgent({ child, chunks, dataDir, port, removeData: options.dataDir === undefined });
  await until(
    "the agent is ready",
    async () => {
      if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}`);
      return (await agent.request("localhost", "/readyz").catch(() => undefined))?.status === 200;
    },
    options.patience,
  ).catch(async (error) => {
    await agent.kill();
    throw new Error(`${error.message}\n${chunks.join("").slice(-4000)}`);
  });
  return agent;
}

function createTestAgent(parts: {
  child: ChildProcess;
  chunks: string[];
  dataDir: string;
  port: number;
  removeData: boolean;
}): TestAgent {
  const { child, chunks, dataDir, port } = parts;
  const token = async () => (await readFile(join(dataDir, "secrets/admin-token"), "utf8")).trim();
  const send = (host: string, path = "/", options: RequestOptions = {}) =>
    sendRequest(port, /[.:]/.test(host) || host === "localhost" ? host : `${host}.localhost`, path, options);
  const api = async <T>(path: string, options: RequestOptions = {}) => {
    const headers = { authorization: `Bearer ${await token()}`, ...options.headers };
    const answer = await send("localhost", path, { ...options, headers });
    if (answer.status >= 400) throw new Error(`${options.method ?? "GET"} ${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as T;
  };
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    }
    if (parts.removeData && signal !== "SIGKILL") await rm(dataDir, { recursive: true, force: true });
  };
  return {
    port,
    dataDir,
    process: child,
    output: () => chunks.join(""),
    token,
    request: send,
    api,
    status: () => api<Status>("/api/v1/status"),
    functionStatus: async (name) => {
      const found = (await api<Status>("/api/v1/status")).functions.find((entry) => entry.name === name);
      if (!found) throw new Error(`no function "${name}" in status`);
      return found;
    },
    events: async () => (await api<{ events: PlatformEvent[] }>("/api/v1/events?limit=200")).events,
    remote: async () => `http://admin:${await token()}@localhost:${port}/git/functions.git`,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

/** One request; resolves with the whole answer. */
export function sendRequest(port: number, host: string, path: string, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, path, method: options.method ?? "GET", headers: { host, ...options.headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(options.body);
  });
}

/** Waits for a condition, not for a time; the limit only ends a test that would hang. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, limit = 180_000): Promise<void> {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain: ${what}`);
    await delay(20);
  }
}

export async function createEmptyRepository(dataDir: string): Promise<void> {
  const dir = join(dataDir, "git/functions.git");
  await mkdir(dir, { recursive: true });
  await run("git", ["init", "--bare", "--quiet", "--initial-branch=main", dir]);
}

const GIT_ENV = {
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.com",
};

export interface PushResult {
  ok: boolean;
  /** What the pusher saw, with `remote: ` taken off its lines. */
  output: string;
}

export interface TestRepository {
  readonly dir: string;
  git(...args: string[]): Promise<string>;
  /** Writes files (null removes), commits everything, answers the commit. */
  commit(files: Record<string, string | Uint8Array | null>, message?: string): Promise<string>;
  push(agent: TestAgent, ...args: string[]): Promise<PushResult>;
  remove(): Promise<void>;
}

/** A working copy on branch main. */
export async function createRepository(): Promise<TestRepository> {
  const dir = await mkdtemp(join(tmpdir(), "wrkst-repo-"));
  const git = async (...args: string[]) => {
    const options = { cwd: dir, env: { PATH: process.env.PATH, HOME: dir, ...GIT_ENV }, maxBuffer: 1 << 26 };
    return (await run("git", args, options)).stdout.trim();
  };
  await git("init", "--quiet", "--initial-branch=main");
  return {
    dir,
    git,
    commit: async (files, message = "change") => {
      for (const [path, content] of Object.entries(files)) {
        const target = join(dir, path);
        await mkdir(dirname(target), { recursive: true });
        if (content === null) await rm(target, { recursive: true, force: true });
        else await writeFile(target, content);
      }
      await git("add", "--all");
      await git("commit", "--quiet", "--allow-empty", "--message", message);
      return await git("rev-parse", "HEAD");
    },
    push: (agent, ...args) => push(dir, agent, args),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

async function push(dir: string, agent: TestAgent, args: string[]): Promise<PushResult> {
  const child = spawn("git", ["push", "--porcelain", await agent.remote(), ...(args.length ? args : ["HEAD:main"])], {
    cwd: dir,
    env: { PATH: process.env.PATH, HOME: dir, ...GIT_ENV },
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(String(chunk)));
  const [code] = await once(child, "close");
  return { ok: code === 0, output: chunks.join("").replace(/^remote: ?/gm, "") };
}

/** The files of a small function that answers `text`. */
export function functionFiles(name: string, text: string, folder = name): Record<string, string> {
  return {
    [`${folder}/wrangler.toml`]: `name = "${name}"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n`,
    [`${folder}/index.ts`]: `export default { fetch(): Response { return new Response(${JSON.stringify(text)}); } };\n`,
  };
}
