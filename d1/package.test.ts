// The package as npm publishes it: packed, installed, compiled against, and run in Miniflare with real databases.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { Miniflare, Response } from "miniflare";

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), "wrkst-d1-"));
after(() => rm(folder, { recursive: true, force: true }));

interface Packed {
  filename: string;
  files: { path: string }[];
}

async function pack(): Promise<Packed> {
  const args = ["pack", "--json", "--pack-destination", folder, resolve("d1")];
  const { stdout } = await run("npm", args, { cwd: folder });
  const [packed] = JSON.parse(stdout) as Packed[];
  assert.ok(packed);
  return packed;
}

/** As `npm install` lays the package out, with the function that uses it beside. */
async function install({ filename }: Packed): Promise<void> {
  const place = join(folder, "node_modules/wrkst-d1");
  await mkdir(place, { recursive: true });
  await run("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", place]);
  await symlink(resolve("node_modules/@cloudflare"), join(folder, "node_modules/@cloudflare"));
  for (const file of await readdir("d1/testdata")) await cp(join("d1/testdata", file), join(folder, file));
}

const packed = await pack();
await install(packed);

test("the package is two modules, their types and three papers, and depends on nothing", async () => {
  const expected = ["LICENSE", "README.md", "client.js", "index.d.ts", "index.js", "package.json"];
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), expected);
  const manifest = JSON.parse(await readFile(join(folder, "node_modules/wrkst-d1/package.json"), "utf8"));
  const depending = Object.keys(manifest).filter((key) => /dependencies|scripts/i.test(key));
  assert.deepEqual(depending, []);
  assert.equal(manifest.exports["."].default, "./index.js");
});

/** What the compiler says of files beside the installed package; nothing is well. */
async function compile(files: string[], types: string[]): Promise<string> {
  const settings = {
    compilerOptions: {
      ...{ module: "nodenext", target: "es2023", lib: ["es2023"], strict: true, noEmit: true },
      ...{ exactOptionalPropertyTypes: true, skipLibCheck: types.length > 0, types },
    },
    files,
  };
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(settings));
  const compiler = [resolve("node_modules/typescript/bin/tsc"), "-p", folder];
  const { stdout } = await run(process.execPath, compiler).catch((failure: { stdout: string }) => failure);
  return stdout;
}

test("its types and those of @cloudflare/workers-types take each other's values", async () => {
  assert.equal(await compile(["worker.ts", "sides.ts"], ["@cloudflare/workers-types"]), "");
});

test("its types need no other package", async () => {
  assert.equal(await compile(["alone.ts"], []), "");
});

async function startFunction(): Promise<Miniflare> {
  const { outputFiles } = await build({
    ...{ entryPoints: [join(folder, "worker.ts")], bundle: true, format: "esm", write: false },
    ...{ external: ["cloudflare:*"], logLevel: "silent" },
  });
  return new Miniflare({
    modules: true,
    script: outputFiles[0]?.text ?? "",
    compatibilityDate: "2026-04-01",
    host: "127.0.0.1",
    port: 0,
    d1Databases: ["D1", "GUESTS"],
    bindings: { TITLE: "shop", HOST: "d1.example.com", TOKEN: "s3cret" },
    kvNamespaces: ["CACHE"],
    serviceBindings: { SERVICE: () => new Response("service") },
  });
}

test("in Miniflare", async (t) => {
  const miniflare = await startFunction();
  after(() => miniflare.dispose());
  const ask = async (path: string) => (await miniflare.dispatchFetch(`http://shop.example/${path}`)).json();

  await t.test("gives a function its native databases, which keep what is written", async () => {
    const ann = { id: 1, name: "ann" };
    assert.deepEqual(await ask("ann"), { same: [true, true], last: 2, visits: [ann] });
    const { visits } = (await ask("ben")) as { visits: object[] };
    assert.deepEqual(visits, [ann, { id: 2, name: "ben" }]);
  });

  for (const [binding, code] of [
    ["GUESTS", "found"],
    ["NONE", "ERR_D1_BINDING_MISSING"],
    ["HOST", "found"],
    ["TOKEN", "ERR_D1_BINDING_INVALID"],
    ["CACHE", "ERR_D1_BINDING_INVALID"],
    ["SERVICE", "ERR_D1_BINDING_INVALID"],
  ] as const) {
    await t.test(`answers ${code} for "${binding}"`, async () => assert.equal(await ask(`code/${binding}`), code));
  }

  await t.test("takes the databases that Miniflare hands to Node", async () => {
    const { getD1 } = (await import(
      pathToFileURL(join(folder, "node_modules/wrkst-d1/index.js")).href
    )) as typeof import("./index.js");
    const env = await miniflare.getBindings();
    assert.equal(await getD1(env).prepare("SELECT count(*) AS visits FROM visits").first("visits"), 2);
    for (const binding of ["CACHE", "SERVICE"]) {
      assert.throws(() => getD1(env, binding), { code: "ERR_D1_BINDING_INVALID" });
    }
  });
});
