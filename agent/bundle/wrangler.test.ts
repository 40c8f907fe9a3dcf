// Our bundles against those of the stock wrangler: the same modules, and the same answers when both run in workerd. What wrangler
// made of each is written down, since a run of it takes a second and a half of processor time.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { Bundle, BundleModule, Manifest, ModuleKind } from "../model.js";
import { openBundler } from "./bundler.js";
import { FIXTURES, type Fixture } from "./fixtures.js";
import { OF_WRANGLER } from "./test-answers.js";
import { WRANGLER } from "./test-wrangler.js";
import { manifestOf, temporaryFolder, writeFiles } from "./testing.js";

const require = createRequire(import.meta.url);
const { default: workerd } = require("workerd") as { default: string };
const PACKAGES = dirname(dirname(require.resolve("wrangler/package.json")));

/** Of these wrangler is asked each time, of all in the long run. */
const ASKED = [
  "several modules, some above the folder",
  "own rules",
  "nodejs_compat",
  "no_bundle with additional modules",
];
const isAsked = (name: string) => process.env.WRKST_TEST_LONG !== undefined || ASKED.includes(name);

test("bundles hold the modules that those of wrangler do, and answer as they do", { timeout: 600_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const cases = Object.entries(FIXTURES).map(([name, fixture], index) => ({ name, fixture, id: `f${index}` }));
  const bundler = openBundler({ cacheDir: PACKAGES });
  t.after(() => bundler.close());
  const built = await inPairs(cases, async ({ name, fixture, id }) => {
    const root = join(folder, id);
    await writeFixture(root, fixture);
    const manifest = manifestOf(fixture.manifest);
    const ours = await bundler.bundle({ root, folder: fixture.folder ?? "", manifest });
    const run = () => runWrangler(join(root, fixture.folder ?? ""), join(folder, `${id}-out`), ours);
    return { name, id, manifest, ours, theirs: isAsked(name) ? await run() : undefined };
  });
  const services = built.flatMap(({ id, manifest, ours, theirs }) => [
    { id: `${id}-ours`, manifest, main: ours.main, modules: ours.modules },
    ...(theirs ? [{ id: `${id}-wrangler`, manifest, main: ours.main.split("/").pop() ?? "", modules: theirs }] : []),
  ]);
  await serve(t, folder, services);
  for (const { name, id, ours, theirs } of built) {
    await t.test(name, async () => {
      const { status, body } = await ask(folder, `${id}-ours`);
      assert.equal(status, 200, body);
      const mine = { modules: namesOf(ours.modules), body };
      assert.deepEqual(mine, OF_WRANGLER[name]);
      if (theirs)
        assert.deepEqual(mine, { modules: namesOf(theirs), body: (await ask(folder, `${id}-wrangler`)).body });
    });
  }
});

const namesOf = (modules: BundleModule[]) => modules.map(({ name }) => name).sort();

async function inPairs<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = items.map((item, index) => ({ item, index }));
  const lane = async () => {
    for (let next = rest.shift(); next; next = rest.shift()) results[next.index] = await work(next.item);
  };
  await Promise.all([lane(), lane()]);
  return results;
}

async function writeFixture(root: string, fixture: Fixture): Promise<void> {
  await writeFiles(root, fixture.files);
  const folder = join(root, fixture.folder ?? "");
  await writeFile(join(folder, "wrangler.json"), JSON.stringify(wranglerConfig(manifestOf(fixture.manifest))));
  if (fixture.packages) await mkdir(join(root, "node_modules"), { recursive: true });
  for (const name of fixture.packages ?? []) await symlink(join(PACKAGES, name), join(root, "node_modules", name));
}

function wranglerConfig(manifest: Manifest): Record<string, unknown> {
  return {
    name: manifest.name,
    main: manifest.main,
    compatibility_date: manifest.compatibilityDate,
    compatibility_flags: manifest.compatibilityFlags,
    rules: manifest.rules,
    alias: manifest.alias,
    define: manifest.define,
    no_bundle: manifest.noBundle,
    find_additional_modules: manifest.findAdditionalModules,
    minify: manifest.minify,
    keep_names: manifest.keepNames,
    preserve_file_names: manifest.preserveFileNames,
    ...(manifest.baseDir === undefined ? {} : { base_dir: manifest.baseDir }),
    ...(manifest.tsconfig === undefined ? {} : { tsconfig: manifest.tsconfig }),
  };
}

async function runWrangler(cwd: string, out: string, ours: Bundle): Promise<BundleModule[]> {
  const env = { PATH: process.env.PATH, HOME: out, WRANGLER_SEND_METRICS: "false", CI: "1", NO_COLOR: "1" };
  await mkdir(out);
  const outdir = join(out, "modules");
  await promisify(execFile)(process.execPath, [...WRANGLER, "deploy", "--dry-run", "--outdir", outdir], { cwd, env });
  const files = await readdir(outdir, { recursive: true, withFileTypes: true });
  const names = files
    .filter((file) => file.isFile() && file.name !== "README.md" && !file.name.endsWith(".map"))
    .map((file) => join(file.parentPath, file.name).slice(outdir.length + 1));
  const kindOf = (name: string): ModuleKind =>
    ours.modules.find((module) => module.name === name)?.kind ?? (extname(name) === ".js" ? "esm" : "data");
  return Promise.all(
    names.map(async (name) => ({ name, kind: kindOf(name), bytes: await readFile(join(outdir, name)) })),
  );
}

interface Service {
  id: string;
  manifest: Manifest;
  main: string;
  modules: BundleModule[];
}

const FIELD: Record<ModuleKind, string> = {
  esm: "esModule",
  cjs: "commonJsModule",
  text: "text",
  data: "data",
  json: "json",
  wasm: "wasm",
};

/** One workerd with all services, each on a unix socket of its own. */
async function serve(t: TestContext, folder: string, services: Service[]): Promise<void> {
  const workers = await Promise.all(services.map((service) => describe(folder, service)));
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [${workers.map(({ service }) => service).join(",")}], sockets = [${workers.map(({ socket }) => socket).join(",")}]);`;
  await writeFile(join(folder, "config.capnp"), config);
  const child = spawn(workerd, ["serve", "config.capnp", "--experimental"], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const last = services.at(-1)?.id ?? "";
  while (!(await ask(folder, last).catch(() => undefined))) {
    assert.equal(child.exitCode, null, "workerd ended");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function describe(folder: string, { id, manifest, main, modules }: Service) {
  const sorted = [...modules].sort((a, b) => Number(b.name === main) - Number(a.name === main));
  const lines = await Promise.all(
    sorted.map(async (module, index) => {
      await writeFile(join(folder, `${id}.${index}`), module.bytes);
      return `(name = ${JSON.stringify(module.name)}, ${FIELD[module.kind]} = embed "${id}.${index}")`;
    }),
  );
  const flags = manifest.compatibilityFlags.map((flag) => JSON.stringify(flag)).join(",");
  const worker = `(modules = [${lines.join(",")}], compatibilityDate = "${manifest.compatibilityDate}", compatibilityFlags = [${flags}])`;
  return {
    service: `(name = "${id}", worker = ${worker})`,
    socket: `(name = "${id}", address = "unix:${id}.sock", http = (), service = "${id}")`,
  };
}

function ask(folder: string, id: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: join(folder, `${id}.sock`), path: "/", host: "localhost" }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString("utf8") });
    });
    sent.on("error", reject).end();
  });
}
