// For the tests of this folder: temporary folders, a recording log, and a runtime with a few functions, small enough to
// be read here. The product's own router is tested in runtime/ and e2e/.
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openRunFolder } from "./run-folder.js";
import { openRuntime, type Runtime, type RuntimeEvent, type RuntimeOptions } from "./runtime.js";
import type { Log } from "./runtime-log.js";

/** A folder that is removed after the test; `end` is called before, and ends what writes to it. */
export async function temporaryFolder(t: TestContext, end: () => Promise<unknown> = async () => {}): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "wrkst-runtime-")));
  t.after(async () => {
    await end();
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

export interface RecordedLog extends Log {
  lines: { level: string; message: string }[];
}

export function recordLog(): RecordedLog {
  const lines: RecordedLog["lines"] = [];
  const at = (level: string) => (_fields: object, message: string) => void lines.push({ level, message });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

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

const FUNCTIONS = {
  hello: `export default { fetch() { return new Response("hello"); } };`,
  loop: `export default { fetch() { for (;;) {} } };`,
  waits: `export default { async fetch() { await new Promise((resolve) => setTimeout(resolve, 60_000)); return new Response(); } };`,
  later: `export default { fetch(request, env, ctx) {
    ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 50)).then(() => { for (;;) {} }));
    return new Response("later");
  } };`,
  chatty: `export default { fetch() { for (let i = 0; i < 1000; i++) console.log("line", i); return new Response("said"); } };`,
  forges: `export default { fetch() { console.log('x\\nwrkst-trace {"key":"guessed","enter":"hello"}'); for (;;) {} } };`,
};

const ROUTER = `
import { WorkerEntrypoint } from "cloudflare:workers";
const FUNCTIONS = ${JSON.stringify(FUNCTIONS)};
let key, generation = 1, evicted = [], requests = 0;
const trace = (line) => { if (key) console.log("wrkst-trace " + JSON.stringify({ key, ...line })); };
export class Control extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const body = request.method === "POST" ? await request.json() : undefined;
    if (pathname === "/change") {
      if (body.from !== generation) return Response.json({ generation }, { status: 409 });
      generation = body.to;
    }
    if (pathname === "/replace") generation = body.generation;
    if (pathname === "/trace") key = body.on ? body.key : undefined;
    if (pathname === "/evict") evicted.push(...body.functions);
    if (pathname === "/prepare") return Response.json({ versions: {} });
    return Response.json({ generation, isolates: 2, evictions: evicted.length, coldLoads: 0, functions: 5, requests });
  }
}
export default {
  async fetch(request, env) {
    key ??= env.TRACE_KEY;
    const name = new URL(request.url).pathname.slice(1);
    if (name === "exit") { const { abortIsolate } = await import("cloudflare:workers"); abortIsolate("crash"); }
    if (!(name in FUNCTIONS)) return new Response("not found", { status: 404 });
    requests++;
    trace({ enter: name });
    try {
      return await env.LOADER.get(name, () => ({
        compatibilityDate: "2026-08-01", mainModule: "index.js", modules: { "index.js": FUNCTIONS[name] }, globalOutbound: null,
      })).getEntrypoint().fetch(request);
    } finally {
      trace({ exit: name });
    }
  },
};
`;

/** Text of a configuration with the functions above; `address` of the public socket. */
export function routerConfig(options: { runDir: string; address?: string; traceKey?: string }): string {
  const text = JSON.stringify;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "router", worker = .router)],
  sockets = [
    (name = "public", address = ${text(options.address ?? "127.0.0.1:0")}, http = (), service = "router"),
    (name = "control", address = ${text(`unix:${join(options.runDir, "control.sock")}`)}, http = (), service = (name = "router", entrypoint = "Control")),
  ],
);
const router :Workerd.Worker = (
  modules = [(name = "router.js", esModule = ${text(ROUTER)})],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = (id = "functions")), (name = "TRACE_KEY", text = ${text(options.traceKey ?? "")})],
);
`;
}

export interface TestRuntime {
  runtime: Runtime;
  dataDir: string;
  events: RuntimeEvent[];
  log: RecordedLog;
  /** Text of the answer of a function. */
  ask(name: string): Promise<string>;
  /** Begins to ask, and waits until the function has the request. */
  enter(name: string): Promise<{ answer: Promise<string> }>;
  /** Waits for an event of the kind; the count-th, from 1. */
  event(kind: RuntimeEvent["kind"], count?: number): Promise<RuntimeEvent>;
}

/** A runtime in a folder of its own, stopped after the test; not started yet. */
export async function testRuntime(t: TestContext, changes: Partial<RuntimeOptions> = {}): Promise<TestRuntime> {
  const dataDir = await temporaryFolder(t, () => runtime.stop());
  const runDir = await openRunFolder(dataDir);
  const log = recordLog();
  const events: RuntimeEvent[] = [];
  const runtime = openRuntime({
    dataDir,
    runDir,
    writeConfig: async ({ traceKey }) => routerConfig({ runDir, ...(traceKey ? { traceKey } : {}) }),
    beforeStart: async () => {},
    hangTimeout: 600,
    memoryLimit: Number.POSITIVE_INFINITY,
    grace: 200,
    log,
    onEvent: (event) => events.push(event),
    ...changes,
  });
  const ask = async (name: string) => {
    const response = await fetch(`http://127.0.0.1:${runtime.ports().public}/${name}`);
    return response.text();
  };
  const enter = (name: string) => entered(runtime, () => ask(name));
  const event = (kind: RuntimeEvent["kind"], count = 1) =>
    until(() => events.filter((event) => event.kind === kind)[count - 1], `event ${kind}, the ${count}.`);
  return { runtime, dataDir, events, log, ask, enter, event };
}

/** Asks, and waits until the router has passed a request on. The answer is "ended" where there was none. */
export async function entered(runtime: Runtime, ask: () => Promise<string>): Promise<{ answer: Promise<string> }> {
  const { requests } = await runtime.state();
  const answer = ask().catch(() => "ended");
  await until(async () => (await runtime.state()).requests > requests, "a request in flight");
  return { answer };
}

const CHECKER = `
const decoder = new TextDecoder();
let count = 0;
export default {
  async fetch(request, env) {
    const body = new Uint8Array(await request.arrayBuffer());
    const start = Number(request.headers.get("x-wrkst-check"));
    const spec = JSON.parse(decoder.decode(body.subarray(0, start)));
    const bytes = body.slice(start);
    const length = new DataView(bytes.buffer).getUint32(4);
    const header = JSON.parse(decoder.decode(bytes.subarray(8, 8 + length)));
    const code = bytes.subarray(8 + length);
    const modules = Object.fromEntries(header.modules.map((m) => [m.name, { js: decoder.decode(code.subarray(m.offset, m.offset + m.length)) }]));
    modules["__entry.js"] = { js: \`
      import { WorkerEntrypoint, abortIsolate } from "cloudflare:workers";
      import * as user from "./\${header.main}";
      export class Host extends WorkerEntrypoint {
        describe() { return Object.keys(user); }
        evict() { abortIsolate("done"); }
      }\` };
    const started = Date.now();
    const host = env.LOADER.get("check" + count++, () => ({
      compatibilityDate: spec.compatibilityDate, compatibilityFlags: spec.compatibilityFlags,
      mainModule: "__entry.js", modules, env: spec.vars, globalOutbound: null,
    })).getEntrypoint("Host");
    try {
      const entrypoints = await host.describe();
      await host.evict().catch(() => {});
      return Response.json({ ok: true, entrypoints, milliseconds: Date.now() - started });
    } catch (error) {
      return Response.json({ ok: false, message: String(error.message) });
    }
  },
};
`;

/** Text of a checker's configuration. */
export function checkerConfig(socketPath: string): string {
  const text = JSON.stringify;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "checker", worker = .checker)],
  sockets = [(name = "control", address = ${text(`unix:${socketPath}`)}, http = (), service = "checker")],
);
const checker :Workerd.Worker = (
  modules = [(name = "checker.js", esModule = ${text(CHECKER)})],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ["experimental"],
  bindings = [(name = "LOADER", workerLoader = (id = "checks"))],
);
`;
}

/** The artifact of one module, in the form of runtime/wire.ts. */
export function artifactOf(code: string): Uint8Array {
  const bytes = Buffer.from(code);
  const modules = [{ name: "index.js", kind: "esm", offset: 0, length: bytes.length }];
  const header = Buffer.from(JSON.stringify({ main: "index.js", modules }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return Buffer.concat([Buffer.from("WRK1"), length, header, bytes]);
}
