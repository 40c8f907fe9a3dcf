// Supervisor and the product's own router together: the suspects depend on its trace lines and the names of its isolates.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { RouteTable, VersionSpec } from "../../runtime/wire.js";
import { artifactOf, testRuntime } from "./testing.js";
import { servingConfig } from "./workerd-config.js";

const FUNCTIONS = {
  hello: `export default { fetch() { return new Response("hello"); } };`,
  loop: `export default { fetch() { for (;;) {} } };`,
  waits: `export default { async fetch() { await new Promise((resolve) => setTimeout(resolve, 60_000)); return new Response(); } };`,
  later: `export default { fetch(request, env, ctx) {
    ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 50)).then(() => { for (;;) {} }));
    return new Response("later");
  } };`,
};

async function writeTable(dataDir: string): Promise<void> {
  const table: RouteTable = { generation: 1, functions: {}, revisions: [] };
  for (const [name, code] of Object.entries(FUNCTIONS)) {
    const bytes = artifactOf(code);
    const artifact = createHash("sha256").update(bytes).digest("hex");
    await mkdir(join(dataDir, "artifacts", artifact.slice(0, 2)), { recursive: true });
    await writeFile(join(dataDir, "artifacts", artifact.slice(0, 2), artifact), bytes);
    const spec: VersionSpec = {
      ...{ id: `${artifact.slice(0, 8)}-0000-8000-8000-000000000000`, artifact, compatibilityDate: "2026-08-01" },
      ...{ compatibilityFlags: [], vars: {}, entrypoints: ["default"], egress: "none" as const, generation: 0 },
    };
    table.functions[name] = { latest: spec.id, aliases: {}, versions: { [spec.id]: spec }, history: [], hosts: [] };
  }
  await mkdir(join(dataDir, "routes"), { recursive: true });
  await writeFile(join(dataDir, "routes", "table.json"), JSON.stringify(table));
}

test("serves again after a freeze, accuses nobody while several could be guilty, and names the one that is alone", async (t) => {
  const routerJs = await readFile(new URL("../../runtime/router.worker.js", import.meta.url), "utf8");
  const { runtime, dataDir, event, events } = await testRuntime(t, {
    beforeStart: () => writeTable(dataDir),
    writeConfig: async ({ traceKey }) =>
      servingConfig({
        routerJs,
        dataDir,
        listen: { address: "127.0.0.1:0" },
        controlSocket: join(dataDir, "run", "control.sock"),
        agentSocket: join(dataDir, "run", "agent.sock"),
        egress: { allow: [], deny: [] },
        settings: {
          ...{ baseDomain: "base.test", apiHosts: ["base.test"], useForwardedHost: false, trustedProxies: [] },
          ...{ maxIsolates: 100, ...(traceKey === undefined ? {} : { traceKey }) },
        },
      }),
  });
  const ask = (name: string) =>
    new Promise<string>((resolve, reject) => {
      const options = { port: runtime.ports().public, host: "127.0.0.1", headers: { host: `${name}.base.test` } };
      get(options, (answer) => answer.setEncoding("utf8").on("data", resolve)).on("error", reject);
    });
  await runtime.start();
  assert.equal(await ask("hello"), "hello");
  await assert.rejects(ask("loop"));
  await event("runtime.started", 2);
  assert.equal(await ask("hello"), "hello");
  const victim = ask("waits").catch(() => {});
  assert.equal(await ask("later"), "later");
  await victim;
  assert.deepEqual((await event("runtime.suspects")).suspects, ["later", "waits"]);
  await event("runtime.started", 3);
  assert.equal(await ask("hello"), "hello");
  await assert.rejects(ask("loop"));
  assert.deepEqual((await event("runtime.culprit")).suspects, ["loop"]);
  assert.equal(events.filter(({ kind }) => kind === "runtime.culprit").length, 1);
});
