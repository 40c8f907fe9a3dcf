// For the tests of this folder: a real workerd with the product's own configuration, in a folder of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { type Agent, createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { checkerConfig, servingConfig } from "../../agent/runtime/workerd-config.js";
import { D1_DEFAULTS } from "../d1/wire.js";
import {
  ARTIFACT_MAGIC,
  CHECK_HEADER,
  CHECK_PATH,
  type CheckRequest,
  type CheckResult,
  type ModuleKind,
  type RouteEntry,
  type RouterSettings,
  type RouteTable,
  type VersionSpec,
} from "../wire.js";

const workerd = (createRequire(import.meta.url)("workerd") as { default: string }).default;

/** A test, or with `after` of node:test itself, all tests of a file. */
type Scope = { after(end: () => unknown): void };

export interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  text: string;
  json(): unknown;
}

export interface AskOptions {
  method?: string;
  headers?: Record<string, string>;
  /** A stream holds the function in its request until it ends. */
  body?: string | Uint8Array | Readable;
  agent?: Agent;
}

/** A function for tests: its modules by name; those ending in `.js` are ES modules. */
export type Sources = Record<string, string | { kind: ModuleKind; bytes: Uint8Array | string }>;

export function artifactBytes(sources: Sources, main = Object.keys(sources)[0]!): Uint8Array<ArrayBuffer> {
  const modules = Object.entries(sources).map(([name, source]) => {
    const { kind, bytes } = typeof source === "string" ? { kind: "esm" as const, bytes: source } : source;
    return { name, kind, bytes: Buffer.from(bytes as string) };
  });
  let offset = 0;
  const places = modules.map(({ name, kind, bytes }) => {
    const place = { name, kind, offset, length: bytes.length };
    offset += bytes.length;
    return place;
  });
  const header = Buffer.from(JSON.stringify({ main, modules: places }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return new Uint8Array(Buffer.concat([Buffer.from(ARTIFACT_MAGIC), length, header, ...modules.map((m) => m.bytes)]));
}

export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Version id of the tests: the number, readable in the first digits. */
export const versionId = (number: number): string => `${String(number).padStart(8, "0")}-0000-8000-8000-000000000000`;

/** Waits for a condition; the limit only ends a test that would never end. */
export async function until<T>(condition: () => T | Promise<T>, what: string): Promise<NonNullable<T>> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await delay(10);
  }
}

interface Process {
  port: number;
  child: ChildProcess;
  /** All lines so far. */
  stdout: string[];
  stderr: string[];
}

interface ProcessOptions {
  /** Names of those that must listen. */
  sockets: string[];
  /** Bytes that it can write into one file. */
  maxFile?: number | undefined;
}

/** Starts workerd in the folder, and ends it with the test. */
async function startProcess(t: Scope, folder: string, config: string, options: ProcessOptions): Promise<Process> {
  const { sockets, maxFile } = options;
  const file = join(folder, "config.capnp");
  await writeFile(file, config);
  const limit = maxFile === undefined ? "" : `trap "" XFSZ; ulimit -f ${Math.ceil(maxFile / 512)};`;
  const command = ["-c", `${limit} exec "$0" "$@"`, workerd];
  const child = spawn("sh", [...command, "serve", "--experimental", "--control-fd=3", file], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const process: Process = { port: 0, child, stdout: [], stderr: [] };
  collectLines(child.stdout as Readable, process.stdout);
  collectLines(child.stderr as Readable, process.stderr);
  const events: string[] = [];
  collectLines(child.stdio[3] as Readable, events);
  await until(() => {
    if (child.exitCode !== null) throw new Error(`workerd ended: ${process.stderr.join("\n")}`);
    return events.length >= sockets.length;
  }, "workerd listens");
  for (const event of events) {
    const { socket, port } = JSON.parse(event) as { socket: string; port: number };
    if (socket === "public") process.port = port;
  }
  return process;
}

function collectLines(stream: Readable, lines: string[]): void {
  let rest = "";
  stream.on("data", (chunk) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
  });
}

export function ask(target: { port: number } | { socketPath: string }, path: string, options: AskOptions = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const { method = options.body === undefined ? "GET" : "POST", headers, agent } = options;
    const where = "port" in target ? { host: "127.0.0.1", port: target.port } : target;
    const request = httpRequest({ ...where, path, method, headers, agent: agent ?? false }, async (response) => {
      try {
        const text = (await buffer(response)).toString();
        resolve({ status: response.statusCode!, headers: response.headers, text, json: () => JSON.parse(text) });
      } catch (error) {
        reject(error);
      }
    });
    request.on("error", reject);
    if (!(options.body instanceof Readable)) return void request.end(options.body);
    request.flushHeaders();
    options.body.pipe(request);
  });
}

async function temporaryFolder(t: Scope): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "wrkst-rt-")));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const builtWorker = (name: string) => readFile(new URL(`../${name}.worker.js`, import.meta.url), "utf8");

export interface ServingOptions {
  /** Bytes that it can write into one file: a full disk. */
  maxFile?: number;
  settings?: Partial<RouterSettings>;
  egress?: { allow: string[]; deny: string[] };
  /** Written to `routes/table.json` before the start; a string is written as it is. */
  table?: RouteTable | string;
}

/** A serving runtime with an agent that answers every request with what it received. */
export async function startServing(t: Scope, options: ServingOptions = {}) {
  const dataDir = await temporaryFolder(t);
  const sockets = { control: join(dataDir, "control.sock"), agent: join(dataDir, "agent.sock") };
  await mkdir(join(dataDir, "routes"));
  await mkdir(join(dataDir, "artifacts"));
  await mkdir(join(dataDir, "do"));
  const agent = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ agent: true, url: request.url, headers: request.headers }));
  });
  await new Promise<void>((resolve) => agent.listen(sockets.agent, resolve));
  t.after(() => agent.close().closeAllConnections());
  if (options.table !== undefined) {
    const text = typeof options.table === "string" ? options.table : JSON.stringify(options.table);
    await writeFile(join(dataDir, "routes", "table.json"), text);
  }
  const routerJs = await builtWorker("router");
  const common = {
    ...{ routerJs, dataDir, agentSocket: sockets.agent, databaseSocket: join(dataDir, "d1.sock") },
    settings: {
      baseDomain: "base.test",
      apiHosts: ["base.test"],
      useForwardedHost: false,
      trustedProxies: [],
      maxIsolates: 1000,
      d1: D1_DEFAULTS,
      ...options.settings,
    },
    egress: options.egress ?? { allow: [], deny: [] },
  };
  const listen = { address: "127.0.0.1:0" };
  const config = servingConfig({ ...common, listen, controlSocket: sockets.control });
  const { maxFile } = options;
  const begin = () => startProcess(t, dataDir, config, { sockets: ["public", "control", "databases"], maxFile });
  let generation = 0;
  let versions = 0;
  const serving = {
    ...(await begin()),
    dataDir,
    /** Starts it again after it was killed. */
    async restart() {
      await Promise.all([sockets.control, common.databaseSocket].map((path) => rm(path, { force: true })));
      Object.assign(serving, await begin());
    },
    /** Starts a ward, which serves whatever function it is asked for, from the table of the route file. */
    async startWard(table: RouteTable) {
      await writeFile(join(dataDir, "routes", "table.json"), JSON.stringify(table));
      const own = { requests: join(dataDir, "ward.sock"), control: join(dataDir, "ward-c.sock") };
      const address = { address: `unix:${own.requests}` };
      const text = servingConfig({ ...common, isWard: true, listen: address, controlSocket: own.control });
      await startProcess(t, dataDir, text, { sockets: ["public", "control"] });
      return {
        get: (host: string, path = "/", more: AskOptions = {}) =>
          ask({ socketPath: own.requests }, path, { ...more, headers: { host, ...more.headers } }),
        control: (path: string, body?: unknown) =>
          ask({ socketPath: own.control }, path, body === undefined ? {} : { body: JSON.stringify(body) }),
      };
    },
    stopAgent: async () => {
      agent.close().closeAllConnections();
      await rm(sockets.agent, { force: true });
    },
    /** Asks the public socket for a path of a host. */
    get: (host: string, path = "/", options: AskOptions = {}) =>
      ask({ port: serving.port }, path, { ...options, headers: { host, ...options.headers } }),
    control: (path: string, body?: unknown) =>
      ask({ socketPath: sockets.control }, path, body === undefined ? {} : { body: JSON.stringify(body) }),
    async store(bytes: Uint8Array): Promise<string> {
      const name = digestOf(bytes);
      await mkdir(join(dataDir, "artifacts", name.slice(0, 2)), { recursive: true });
      await writeFile(join(dataDir, "artifacts", name.slice(0, 2), name), bytes);
      return name;
    },
    /** Stores a function's modules as a new version. */
    async version(sources: Sources | string, spec: Partial<VersionSpec> = {}): Promise<VersionSpec> {
      const modules = typeof sources === "string" ? { "index.js": sources } : sources;
      return {
        id: versionId(++versions),
        artifact: await serving.store(artifactBytes(modules)),
        compatibilityDate: "2026-08-01",
        compatibilityFlags: [],
        vars: {},
        entrypoints: ["default"],
        egress: "public",
        generation: 0,
        ...spec,
      };
    },
    /** Makes these functions serve, all in one change; null removes one. */
    async publish(functions: Record<string, VersionSpec | RouteEntry | null>): Promise<void> {
      const entries = Object.entries(functions).map(([name, value]) => [
        name,
        value && "artifact" in value ? entryOf(value) : value,
      ]);
      const change = { from: generation, to: ++generation, functions: Object.fromEntries(entries), revisions: [] };
      const answer = await serving.control("/change", change);
      if (answer.status !== 200) throw new Error(`the change was refused: ${answer.status} ${answer.text}`);
    },
    /** Stores and publishes functions by their source. */
    async deploy(functions: Record<string, Sources | string>, spec: Partial<VersionSpec> = {}): Promise<void> {
      const entries: Record<string, VersionSpec> = {};
      for (const [name, sources] of Object.entries(functions)) entries[name] = await serving.version(sources, spec);
      await serving.publish(entries);
    },
  };
  return serving;
}

/** An entry whose latest version is the one given. */
export function entryOf(spec: VersionSpec, changes: Partial<RouteEntry> = {}): RouteEntry {
  return { latest: spec.id, aliases: {}, versions: { [spec.id]: spec }, history: [], hosts: [], ...changes };
}

export async function startChecker(t: Scope) {
  const folder = await temporaryFolder(t);
  const controlSocket = join(folder, "check.sock");
  const config = checkerConfig({ checkerJs: await builtWorker("checker"), controlSocket });
  const process = await startProcess(t, folder, config, { sockets: ["control"] });
  return {
    ...process,
    async check(sources: Sources | string | Uint8Array, settings: Partial<CheckRequest> = {}): Promise<CheckResult> {
      const modules = typeof sources === "string" ? { "index.js": sources } : sources;
      const request = { compatibilityDate: "2026-08-01", compatibilityFlags: [], vars: {}, ...settings };
      const spec = Buffer.from(JSON.stringify(request));
      const artifact = modules instanceof Uint8Array ? modules : artifactBytes(modules);
      const answer = await ask({ socketPath: controlSocket }, CHECK_PATH, {
        body: Buffer.concat([spec, artifact]),
        headers: { [CHECK_HEADER]: String(spec.length) },
      });
      return answer.json() as CheckResult;
    },
  };
}
