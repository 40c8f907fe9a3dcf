// Plain workerd with its own D1 server: a function with native bindings, and a database of the same server behind a port
// of its own, as the older form of a binding names it. Ends with its process; its databases lie in a temporary folder.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import workerd from "workerd";

export interface BundledFunction {
  /** ES modules, name → code; the first one is the entry. */
  modules: Record<string, string>;
  /** Binding → name of the database. */
  databases?: Record<string, string>;
  /** Compatibility date. */
  date?: string;
}

export interface BundledD1 {
  /** Of the function. It may reach loopback. */
  functionPort: number;
  /** Of another database of the same server. */
  databasePort: number;
  pid: number;
  stop(): Promise<void>;
}

const DATE = "2026-08-01";

export async function startBundledD1(served: BundledFunction): Promise<BundledD1> {
  const { modules, databases = {}, date = DATE } = served;
  const folder = await mkdtemp(join(tmpdir(), "wrkst-bundled-d1-"));
  await mkdir(join(folder, "databases"));
  for (const [name, code] of Object.entries(modules)) await writeFile(join(folder, name), code);
  await writeFile(join(folder, "config.capnp"), configOf({ modules: Object.keys(modules), databases, date }));
  const child = spawn(workerd.default, ["serve", "--experimental", "--control-fd=3", "config.capnp"], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  const ports = await listeningPorts(child, 2).catch((error) => stop().then(() => Promise.reject(error)));
  return { functionPort: ports.function ?? 0, databasePort: ports.database ?? 0, pid: child.pid ?? 0, stop };
}

async function listeningPorts(child: ChildProcess, count: number): Promise<Record<string, number>> {
  const ports: Record<string, number> = {};
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const { socket, port } = JSON.parse(line) as { socket: string; port: number };
    ports[socket] = port;
    if (Object.keys(ports).length === count) return ports;
  }
  throw new Error(`workerd ended with ${child.exitCode} before it listened`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

interface Served {
  /** Names; the first one is the function's entry. */
  modules: string[];
  databases: Record<string, string>;
  date: string;
}

function configOf({ modules, databases, date }: Served): string {
  const files = modules.map((name) => `(name = "${name}", esModule = embed "${name}")`);
  const bindings = Object.entries(databases).map(
    ([
      binding,
      database,
    ]) => `(name = "${binding}", wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [
      (name = "fetcher", service = ${serviceOf(database)}),
    ]))`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "function", worker = .function),
    (name = "d1", worker = .d1),
    (name = "databases", disk = (path = "databases", writable = true)),
    (name = "loopback", network = (allow = ["private"])),
  ],
  sockets = [
    (name = "function", address = "127.0.0.1:0", http = (), service = "function"),
    (name = "database", address = "127.0.0.1:0", http = (), service = ${serviceOf("host")}),
  ],
);
const function :Workerd.Worker = (
  modules = [${files.join(", ")}],
  compatibilityDate = "${date}",
  globalOutbound = "loopback",
  bindings = [${bindings.join(",\n    ")}],
);
const d1 :Workerd.Worker = (
  modules = [(name = "d1.js", bundled = "/workerd/d1.js")],
  compatibilityDate = "${date}",
  compatibilityFlags = ["experimental"],
  durableObjectNamespaces = [(className = "D1Database", uniqueKey = "bundled", enableSql = true)],
  durableObjectStorage = (localDisk = "databases"),
  bindings = [(name = "DATABASE", durableObjectNamespace = "D1Database")],
);
`;
}

const serviceOf = (database: string) => `(name = "d1", props = (json = "{\\"database\\":\\"${database}\\"}"))`;
