import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";
import { VERSION } from "./wording.js";

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), "wrkst-package-"));
after(() => rm(folder, { recursive: true, force: true }));

interface Packed {
  filename: string;
  size: number;
  files: { path: string }[];
}

async function pack(): Promise<Packed> {
  const args = ["pack", "--json", "--pack-destination", folder, resolve("cli")];
  const { stdout } = await run("npm", args, { cwd: folder });
  const [packed] = JSON.parse(stdout) as Packed[];
  assert.ok(packed);
  return packed;
}

/** As `npm install` lays the package out. */
async function install({ filename }: Packed): Promise<string> {
  const prefix = await mkdtemp(join(folder, "prefix-"));
  const place = join(prefix, "node_modules/wrkst");
  await mkdir(place, { recursive: true });
  await run("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", place]);
  return prefix;
}

const packed = await pack();

test("the package is one bundled file, its start, and three papers, and small", async () => {
  const expected = ["LICENSE", "README.md", "bin/wrkst.mjs", "dist/wrkst.cjs", "package.json"];
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), expected);
  assert.ok(packed.size < 100_000, `${packed.size} bytes`);
  const manifest = JSON.parse(await readFile("cli/package.json", "utf8"));
  assert.deepEqual([manifest.version, Object.keys(manifest.dependencies)], [VERSION, ["esbuild"]]);
  const root = JSON.parse(await readFile("package.json", "utf8"));
  assert.equal(manifest.dependencies.esbuild, root.dependencies.esbuild, "the agent's own bundler");
});

test("the licence names every package that is in the bundled file", async () => {
  const { metafile } = await build({
    ...{ entryPoints: ["cli/main.ts"], bundle: true, platform: "node", write: false, metafile: true },
    ...{ external: ["esbuild"], outfile: "wrkst.cjs", logLevel: "silent" },
  });
  const paths = Object.keys(metafile.inputs);
  const names = new Set(paths.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  const licence = await readFile("cli/LICENSE", "utf8");
  assert.ok(names.size > 0);
  for (const name of names) assert.ok(licence.includes(`contains ${name},`), name);
});

test("runs from where it was installed, and loads esbuild to bundle only", async () => {
  const prefix = await install(packed);
  const shop = join(prefix, "shop");
  await mkdir(shop);
  await writeFile(
    join(shop, "wrangler.jsonc"),
    '{ "name": "shop", "main": "a.ts", "compatibility_date": "2026-11-01" }',
  );
  await writeFile(join(shop, "a.ts"), "export default { fetch: (): Response => new Response('shop') };\n");
  const wrkst = (...args: string[]) =>
    run(process.execPath, [join(prefix, "node_modules/wrkst/bin/wrkst.mjs"), ...args], {
      cwd: shop,
      env: { PATH: process.env.PATH, HOME: prefix },
    });
  assert.equal((await wrkst("--version")).stdout, `${VERSION}\n`);
  await assert.rejects(wrkst("deploy", "--dry-run"), /esbuild/);
  await symlink(resolve("node_modules/esbuild"), join(prefix, "node_modules/esbuild"));
  const { stdout } = await wrkst("deploy", "--dry-run", "--json");
  assert.deepEqual(JSON.parse(stdout).modules, ["a.js"]);
});
