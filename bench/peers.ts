// What the agent is measured against: workerd with a few lines of configuration, miniflare, and the stock wrangler.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Miniflare } from "miniflare";
import workerd from "workerd";
import { freePort, functionFiles, until } from "../e2e/harness.js";
import { openClient } from "./client.js";
import type { Target } from "./load.js";
import { childrenOf } from "./process-figures.js";
import type { Scope } from "./scope.js";

export const DATE = "2026-11-01";

/** The function of all comparisons, as JavaScript. */
export function trivialModule(text: string): string {
  return `export default { fetch() { return new Response(${JSON.stringify(text)}); } };`;
}

/** Two static workers joined by a service binding: what any router in a worker of its own must cost. */
export function startStaticPair(scope: Scope): Promise<Target> {
  const router = `export default { fetch(request, env) { return env.NEXT.fetch(request); } };`;
  return startBare(scope, [
    { name: "router", source: router, bindings: [`(name = "NEXT", service = "function")`] },
    { name: "function", source: trivialModule("hello") },
  ]);
}

/** A loader without anything around it. The host is the id; its first label chooses the text of the answer. */
export function startBareLoader(scope: Scope): Promise<Target> {
  const router = `
    const template = ${JSON.stringify(trivialModule("TEXT"))};
    export default {
      fetch(request, env) {
        const host = request.headers.get("host");
        const stub = env.LOADER.get(host, () => ({
          compatibilityDate: ${JSON.stringify(DATE)},
          mainModule: "index.js",
          modules: { "index.js": template.replace("TEXT", host.split(".", 1)[0]) },
          env: {},
          globalOutbound: null,
        }));
        return stub.getEntrypoint().fetch(request);
      },
    };`;
  return startBare(scope, [
    { name: "router", source: router, bindings: [`(name = "LOADER", workerLoader = (id = "functions"))`] },
  ]);
}

interface BareWorker {
  name: string;
  source: string;
  bindings?: string[];
}

/** The first worker answers the port. */
async function startBare(scope: Scope, workers: BareWorker[]): Promise<Target> {
  const folder = await scope.folder();
  const port = await freePort();
  for (const { name, source } of workers) await writeFile(join(folder, `${name}.js`), source);
  await writeFile(join(folder, "config.capnp"), bareConfig(workers, port));
  const child = scope.process(workerd.default, ["serve", "--experimental", "config.capnp"], { cwd: folder });
  await untilAnswers(port, "hello.localhost");
  return { port, host: "hello.localhost", pid: child.pid ?? 0 };
}

function bareConfig(workers: BareWorker[], port: number): string {
  const services = workers.map(
    ({ name, bindings = [] }) => `(name = "${name}", worker = (
      modules = [(name = "index.js", esModule = embed "${name}.js")],
      compatibilityDate = "${DATE}",
      compatibilityFlags = ["experimental"],
      bindings = [${bindings.join(", ")}],
    ))`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(",\n    ")}],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "${workers[0]?.name}")],
);
`;
}

export async function startMiniflare(scope: Scope): Promise<Target> {
  const before = new Set(childrenOf(process.pid));
  const miniflare = new Miniflare({
    modules: true,
    script: trivialModule("hello"),
    compatibilityDate: "2026-04-01",
    host: "127.0.0.1",
    port: 0,
  });
  scope.defer(() => miniflare.dispose());
  const { port } = await miniflare.ready;
  const pid = childrenOf(process.pid).find((child) => !before.has(child));
  if (pid === undefined) throw new Error("miniflare started no process");
  return { port: Number(port), host: "hello.localhost", pid };
}

export async function untilAnswers(port: number, host: string): Promise<void> {
  const client = openClient(port);
  const asks = async () => (await client.get(host).catch(() => undefined))?.status === 200;
  await until("the peer answers", asks, 10_000).finally(() => client.close());
}

const run = promisify(execFile);
const resolve = createRequire(import.meta.url).resolve;

/** Milliseconds that `wrangler deploy --dry-run` takes for one small function, each time anew. */
export async function openWranglerDryRun(scope: Scope): Promise<() => Promise<number>> {
  const folder = await scope.folder();
  for (const [path, content] of Object.entries(functionFiles("hello", "hello", "."))) {
    await writeFile(join(folder, path), content);
  }
  const home = join(folder, "home");
  await mkdir(home);
  const wrangler = join(dirname(resolve("wrangler/package.json")), "bin/wrangler.js");
  const env = { ...process.env, HOME: home, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", CI: "1" };
  return async () => {
    const start = performance.now();
    await run(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", "out"], { cwd: folder, env });
    return performance.now() - start;
  };
}
