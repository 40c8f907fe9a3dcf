// Plain workerd with its own D1 server: a function with a native binding, and a database of the same server behind a port
// of its own, as the older form of a binding names it. Ends with its process; its databases lie in a temporary folder.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import workerd from "workerd";

export interface BundledD1 {
  /** Of the function, whose binding is `NATIVE`. It may reach loopback. */
  functionPort: number;
  /** Of another database of the same server. */
  databasePort: number;
  stop(): Promise<void>;
}

/** @param code the function as one ES module */
export async function startBundledD1(code: string): Promise<BundledD1> {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-bundled-d1-"));
  await mkdir(join(folder, "databases"));
  await writeFile(join(folder, "function.js"), code);
  await writeFile(join(folder, "config.capnp"), CONFIG);
  const child = spawn(workerd.default, ["serve", "--experimental", "--control-fd=3", "config.capnp"], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  const ports = await listeningPorts(child, 2).catch((error) => stop().then(() => Promise.reject(error)));
  return { functionPort: ports.function ?? 0, databasePort: ports.database ?? 0, stop };
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

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "function", worker = .function),
    (name = "d1", worker = .d1),
    (name = "databases", disk = (path = "databases", writable = true)),
    (name = "loopback", network = (allow = ["private"])),
  ],
  sockets = [
    (name = "function", address = "127.0.0.1:0", http = (), service = "function"),
    (name = "database", address = "127.0.0.1:0", http = (), service = (name = "d1", props = (json = "{\\"database\\":\\"host\\"}"))),
  ],
);
const function :Workerd.Worker = (
  modules = [(name = "function.js", esModule = embed "function.js")],
  compatibilityDate = "2026-08-01",
  globalOutbound = "loopback",
  bindings = [
    (name = "NATIVE", wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [
      (name = "fetcher", service = (name = "d1", props = (json = "{\\"database\\":\\"native\\"}"))),
    ])),
  ],
);
const d1 :Workerd.Worker = (
  modules = [(name = "d1.js", bundled = "/workerd/d1.js")],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ["experimental"],
  durableObjectNamespaces = [(className = "D1Database", uniqueKey = "bundled", enableSql = true)],
  durableObjectStorage = (localDisk = "databases"),
  bindings = [(name = "DATABASE", durableObjectNamespace = "D1Database")],
);
`;
