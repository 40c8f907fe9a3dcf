// Where the cases are run: one process for each target, and a database in it that is empty at first.
import { readFile } from "node:fs/promises";
import type { TestContext } from "node:test";
import { Miniflare } from "miniflare";
import { startBundledD1 } from "../../d1/testing/bundled-d1.js";
import { ask, startServing } from "../../runtime/testing/workerd.js";

export type Target = "wrkst" | "wrkst-d1" | "host" | "bundled" | "miniflare";

/** Runs the case of that number; `gave` or `threw` of its answer is set. */
export type Run = (index: number) => Promise<{ gave?: unknown; threw?: string }>;

import { cases, type Db } from "./cases.js";

/** `pick`: how the database is taken from `env`. */
const worker = (pick: string, imports = "") => `import { cases } from "./cases.js";
${imports}
export default {
  async fetch(request, env) {
    const { run } = cases[Number(new URL(request.url).searchParams.get("case"))];
    try {
      return Response.json({ gave: await run(${pick}) });
    } catch (error) {
      return Response.json({ threw: String(error.message) });
    }
  },
};
`;
const casesSource = () => readFile(new URL("./cases.js", import.meta.url), "utf8");

export const targets: Record<Target, (t: TestContext) => Promise<Run>> = {
  wrkst: (t) => startDynamic(t, { "index.js": worker("env.DB") }),
  async "wrkst-d1"(t) {
    const library = (name: string) => readFile(new URL(`../../../d1/${name}`, import.meta.url), "utf8");
    const index = worker('getD1(env, "DB")', 'import { getD1 } from "./wrkst-d1/index.js";');
    return startDynamic(t, {
      "index.js": index,
      "wrkst-d1/index.js": await library("index.js"),
      "wrkst-d1/client.js": await library("client.js"),
    });
  },
  host: startHost,
  bundled: startBundled,
  miniflare: startMiniflare,
};

/** A function that the router loads, with the binding that it is given. */
async function startDynamic(t: TestContext, sources: Record<string, string>): Promise<Run> {
  const serving = await startServing(t);
  const databases = { DB: "conformance.1", D1: "other.1" };
  await serving.deploy({ cases: { ...sources, "cases.js": await casesSource() } }, { databases });
  return async (index) => (await serving.get("cases.base.test", `/?case=${index}`)).json() as Awaited<ReturnType<Run>>;
}

/** workerd's own D1 server behind a static binding. */
async function startBundled(t: TestContext): Promise<Run> {
  const modules = { "index.js": worker("env.DB"), "cases.js": await casesSource() };
  const server = await startBundledD1({ modules, databases: { DB: "a" } });
  t.after(() => server.stop());
  const port = server.functionPort;
  return async (index) => (await ask({ port }, `/?case=${index}`)).json() as Awaited<ReturnType<Run>>;
}

/** The older form of a binding, the name of a host: wrkst-d1 in Node, against workerd's own D1 server. */
async function startHost(t: TestContext): Promise<Run> {
  const server = await startBundledD1({ modules: { "function.js": "export default {};" } });
  t.after(() => server.stop());
  const library = new URL("../../../d1/index.js", import.meta.url).href;
  const { getD1 } = (await import(library)) as typeof import("../../d1/index.js");
  const db = getD1({ D1: `127.0.0.1:${server.databasePort}` });
  const asJson = (value: unknown) => (value === undefined ? {} : { gave: JSON.parse(JSON.stringify(value)) });
  return (index) =>
    (cases[index]?.run(db as Db) ?? Promise.resolve()).then(asJson, (error: Error) => ({ threw: error.message }));
}

async function startMiniflare(t: TestContext): Promise<Run> {
  const miniflare = new Miniflare({
    modules: [
      { type: "ESModule", path: "index.js", contents: worker("env.DB") },
      { type: "ESModule", path: "cases.js", contents: await casesSource() },
    ],
    compatibilityDate: "2026-05-01",
    d1Databases: ["DB"],
  });
  t.after(() => miniflare.dispose());
  const url = await miniflare.ready;
  return async (index) => (await ask({ port: Number(url.port) }, `/?case=${index}`)).json() as Awaited<ReturnType<Run>>;
}
