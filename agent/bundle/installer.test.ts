// Clean installs with the real npm and pnpm against a registry of the test's own. Covers SECURITY C4.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { buildFunction } from "./build.js";
import { type InstallerOptions, openInstaller } from "./installer.js";
import { checkout, type Files, manifestOf, temporaryFolder, textOf, writeFiles } from "./testing.js";

const run = promisify(execFile);

/** Source of each package; `{ "a": … }` is a@1.0.0 with one file. */
const PACKAGES: Record<
  string,
  { code: string; dependencies?: Record<string, string>; scripts?: Record<string, string> }
> = {
  a: { code: "exports.a = 'a' + require('b').b;", dependencies: { b: "^1.0.0" } },
  b: { code: "exports.b = 'b';", scripts: { postinstall: "node -e \"require('fs').writeFileSync('ran', '')\"" } },
};

interface Registry {
  url: string;
  requests: string[];
  integrity: Record<string, string>;
  env: Record<string, string | undefined>;
}

async function openRegistry(t: TestContext): Promise<Registry> {
  const folder = await temporaryFolder(t);
  const tarballs = new Map<string, Buffer>();
  for (const [name, { code, ...manifest }] of Object.entries(PACKAGES)) {
    const files = {
      "package.json": JSON.stringify({ name, version: "1.0.0", main: "i.js", ...manifest }),
      "i.js": code,
    };
    await writeFiles(join(folder, name, "package"), files);
    await run("tar", ["-czf", join(folder, `${name}.tgz`), "-C", join(folder, name), "package"]);
    tarballs.set(name, await readFile(join(folder, `${name}.tgz`)));
  }
  const integrity = Object.fromEntries(
    [...tarballs].map(([name, bytes]) => [name, `sha512-${createHash("sha512").update(bytes).digest("base64")}`]),
  );
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    const [, name = "", tarball] = (request.url ?? "").split("/");
    const bytes = tarballs.get(name);
    if (bytes === undefined) return void response.writeHead(404).end("{}");
    if (tarball !== undefined) return void response.end(bytes);
    const { code, ...manifest } = PACKAGES[name]!;
    const dist = { tarball: `http://${request.headers.host}/${name}/${name}-1.0.0.tgz`, integrity: integrity[name] };
    const version = { name, version: "1.0.0", main: "i.js", ...manifest, dist };
    response.end(JSON.stringify({ name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version }, time: {} }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const env = { PATH: process.env.PATH, HOME: folder, npm_config_update_notifier: "false" };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests, integrity, env };
}

async function openFor(t: TestContext, root: string, more: Partial<InstallerOptions> = {}) {
  const registry = await openRegistry(t);
  const cacheDir = await temporaryFolder(t);
  const options = { cacheDir, root, registry: registry.url, environment: registry.env, ...more };
  return { registry, cacheDir, options, installer: openInstaller(options) };
}

const MANIFEST = JSON.stringify({
  name: "f",
  dependencies: { a: "^1.0.0" },
  devDependencies: { none: "^1.0.0" },
  scripts: { preinstall: "touch ran", prepare: "touch ran" },
});

const entry = (integrity = "", more = {}) => ({
  version: "1.0.0",
  resolved: "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
  integrity,
  ...more,
});

function npmLock(
  integrity: Record<string, string>,
  more: Record<string, unknown> = {},
  root: object = JSON.parse(MANIFEST),
): string {
  const packages = {
    "": root,
    "node_modules/a": { version: "1.0.0", integrity: integrity.a, dependencies: { b: "^1.0.0" } },
    "node_modules/b": { version: "1.0.0", integrity: integrity.b, hasInstallScript: true },
    "node_modules/none": { version: "1.0.0", dev: true },
    ...more,
  };
  return JSON.stringify({ name: "f", lockfileVersion: 3, requires: true, packages });
}

const CODE = `import { a } from "a"; export default { x: a };`;

test("installs by npm from the lockfile, without scripts and development packages", async (t) => {
  const root = await checkout(t, {
    "f/package.json": MANIFEST,
    "f/index.ts": CODE,
    "f/.npmrc": "registry=http://127.0.0.1:1/\nscript-shell=/none",
  });
  const { registry, cacheDir, installer } = await openFor(t, root);
  await writeFile(join(root, "f/package-lock.json"), npmLock(registry.integrity));
  let started = 0;
  const both = await Promise.all([1, 2].map(() => installer.install("f", undefined, () => started++)));
  assert.equal(started, 1);
  assert.deepEqual(both[0], { installed: true, files: ["f/package-lock.json", "f/package.json"] });
  const installed = join(root, "f/node_modules");
  assert((await readlink(installed)).startsWith(cacheDir));
  assert.deepEqual(
    (await readdir(installed)).filter((name) => !name.startsWith(".")),
    ["a", "b"],
  );
  assert.deepEqual((await readdir(join(installed, "b"))).sort(), ["i.js", "package.json"]);
  const bundle = await buildFunction({ root, folder: "f", manifest: manifestOf() }, { cacheDir });
  assert.match(textOf(bundle), /"node_modules\/b\/i\.js"/);
  assert.deepEqual(bundle.outsideFiles, []);
});

test("uses an install again, in another checkout and after a restart, without the registry", async (t) => {
  const root = await checkout(t, { "f/package.json": MANIFEST, "f/index.ts": CODE });
  const { registry, options, installer } = await openFor(t, root);
  await writeFile(join(root, "f/package-lock.json"), npmLock(registry.integrity));
  await installer.install("f");
  const asked = registry.requests.length;
  const again = await checkout(t, { "g/package.json": MANIFEST, "g/package-lock.json": npmLock(registry.integrity) });
  let started = 0;
  await openInstaller({ ...options, root: again }).install("g", undefined, () => started++);
  assert.equal(started, 0);
  assert.equal(registry.requests.length, asked);
  await installer.prune(-1000);
  await installer.install("f", undefined, () => started++);
  assert.equal(started, 1);
});

test("links packages of an npm workspace to the checkout's own sources", async (t) => {
  const root = await checkout(t, {
    "package.json": JSON.stringify({ name: "all", workspaces: ["functions/*", "lib"] }),
    "functions/f/package.json": JSON.stringify({ name: "f", version: "1.0.0", dependencies: { "@my/lib": "*" } }),
    "functions/f/index.ts": `import { lib } from "@my/lib"; export default { x: lib };`,
    "lib/package.json": JSON.stringify({
      name: "@my/lib",
      version: "1.0.0",
      main: "src/lib.ts",
      dependencies: { a: "^1.0.0" },
    }),
    "lib/src/lib.ts": `import { a } from "a"; export const lib: string = "from the checkout" + a;`,
  });
  const { registry, cacheDir, installer } = await openFor(t, root);
  const links = {
    "functions/f": { name: "f", version: "1.0.0", dependencies: { "@my/lib": "*" } },
    lib: { name: "@my/lib", version: "1.0.0", dependencies: { a: "^1.0.0" } },
    "node_modules/@my/lib": { resolved: "lib", link: true },
    "node_modules/f": { resolved: "functions/f", link: true },
    "node_modules/none": undefined,
  };
  const lock = npmLock(registry.integrity, links, { name: "all", workspaces: ["functions/*", "lib"] });
  await writeFile(join(root, "package-lock.json"), lock);
  const { files } = await installer.install("functions/f");
  assert.deepEqual(files, ["functions/f/package.json", "lib/package.json", "package-lock.json", "package.json"]);
  const bundle = await buildFunction({ root, folder: "functions/f", manifest: manifestOf() }, { cacheDir });
  assert.match(textOf(bundle), /from the checkout/);
  assert.deepEqual(bundle.outsideFiles, ["lib/package.json", "lib/src/lib.ts", "package-lock.json", "package.json"]);
});

test("installs by pnpm, with a workspace and without its hooks", async (t) => {
  const root = await checkout(t, {
    "package.json": JSON.stringify({
      name: "all",
      packageManager: "pnpm@1.0.0",
      scripts: { postinstall: "touch ran" },
    }),
    "pnpm-workspace.yaml": "packages:\n  - functions/*\n  - lib\n",
    ".pnpmfile.cjs": "require('fs').writeFileSync('ran', '');",
    "functions/f/package.json": JSON.stringify({ name: "f", dependencies: { a: "^1.0.0", lib: "workspace:*" } }),
    "functions/f/index.ts": `import { a } from "a"; import { lib } from "lib"; export default { x: a + lib };`,
    "lib/package.json": JSON.stringify({ name: "lib", version: "1.0.0", main: "lib.ts" }),
    "lib/lib.ts": `export const lib = "from the checkout";`,
  });
  const { registry, cacheDir, installer } = await openFor(t, root);
  const { a, b } = registry.integrity;
  await writeFile(
    join(root, "pnpm-lock.yaml"),
    `lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .: {}

  functions/f:
    dependencies:
      a:
        specifier: ^1.0.0
        version: 1.0.0
      lib:
        specifier: workspace:*
        version: link:../../lib

  lib: {}

packages:

  a@1.0.0:
    resolution: {integrity: ${a}}

  b@1.0.0:
    resolution: {integrity: ${b}}

snapshots:

  a@1.0.0:
    dependencies:
      b: 1.0.0

  b@1.0.0: {}
`,
  );
  await installer.install("functions/f");
  const bundle = await buildFunction({ root, folder: "functions/f", manifest: manifestOf() }, { cacheDir });
  assert.match(textOf(bundle), /from the checkout/);
  assert.match(textOf(bundle), /node_modules\/b\/i\.js/);
});

test("has nothing to do without dependencies, and removes what an earlier revision needed", async (t) => {
  const root = await checkout(t, { "f/package.json": MANIFEST, "f/index.ts": CODE, "g/index.ts": "" });
  const { registry, installer } = await openFor(t, root);
  assert.deepEqual(await installer.install("g"), { installed: false, files: [] });
  await writeFile(join(root, "f/package-lock.json"), npmLock(registry.integrity));
  await installer.install("f");
  await writeFile(join(root, "f/package.json"), "{}");
  assert.equal((await installer.install("f")).installed, false);
  await assert.rejects(lstat(join(root, "f/node_modules")));
});

test("refuses lockfiles that lead elsewhere, by name and before anything runs [C4]", async (t) => {
  const cases: Record<string, Record<string, unknown>> = {
    "a git dependency": {
      "node_modules/evil": { version: "1.0.0", resolved: "git+ssh://git@example.com/evil.git#0123" },
    },
    "a file": { "node_modules/evil": { version: "1.0.0", resolved: "file:../../evil.tgz" } },
    "a foreign host": { "node_modules/evil": entry("", { resolved: "https://evil.example/evil.tgz" }) },
    "a link out of the repository": {
      "node_modules/evil": { resolved: "../../evil", link: true },
      "../../evil": { name: "evil" },
    },
    "an absolute link": { "node_modules/evil": { resolved: "/etc/evil", link: true } },
    "a climbing place": { "node_modules/../../evil": entry() },
    "a dependency of a dependency by URL": {
      "node_modules/b": { version: "1.0.0", dependencies: { evil: "https://evil.example/evil.tgz" } },
    },
    "a short name of a forge": { "node_modules/b": { version: "1.0.0", dependencies: { evil: "some/evil" } } },
  };
  for (const [what, entries] of Object.entries(cases)) {
    const root = await checkout(t, { "f/package.json": MANIFEST, "f/package-lock.json": npmLock({}, entries) });
    const cacheDir = await temporaryFolder(t);
    const installer = openInstaller({ cacheDir, root, environment: {}, npmCommand: ["/usr/bin/false"] });
    await assert.rejects(installer.install("f"), (error: { code: string; message: string }) => {
      assert.equal(error.code, "ERR_INSTALL", what);
      assert.match(error.message, /evil/, what);
      return true;
    });
  }
});

test("refuses pnpm lockfiles that lead elsewhere [C4]", async (t) => {
  const resolutions = [
    "{tarball: https://evil.example/evil.tgz}",
    "{type: git, repo: 'https://evil.example/evil.git', commit: '0'}",
    "{directory: ../../evil, type: directory}",
    '{"\\x74arball": "https://evil.example/evil.tgz", integrity: x}',
  ];
  for (const resolution of resolutions) {
    const lock = `lockfileVersion: '9.0'\nimporters:\n  .: {}\npackages:\n  evil@1.0.0:\n    resolution: ${resolution}\n`;
    const root = await checkout(t, { "package.json": MANIFEST, "pnpm-lock.yaml": lock });
    const installer = openInstaller({
      cacheDir: await temporaryFolder(t),
      root,
      environment: {},
      npmCommand: ["/usr/bin/false"],
    });
    await assert.rejects(installer.install(""), { code: "ERR_INSTALL" }, resolution);
  }
});

test("says what to do without a lockfile, or with one of another tool", async (t) => {
  const cases: Record<string, Files> = {
    "package-lock.json": { "f/package.json": MANIFEST },
    "package-lock\\.json": { "f/package.json": MANIFEST, "f/yarn.lock": "" },
    'npm install"': {
      "f/package.json": MANIFEST,
      "f/package-lock.json": JSON.stringify({ lockfileVersion: 1, dependencies: {} }),
    },
    "git rm": { "f/package.json": MANIFEST, "f/node_modules/a/index.js": "" },
  };
  for (const [hint, files] of Object.entries(cases)) {
    const root = await checkout(t, files);
    const { registry, installer } = await openFor(t, root);
    if (hint === "git rm") await writeFile(join(root, "f/package-lock.json"), npmLock(registry.integrity));
    await assert.rejects(installer.install("f"), (error: { code: string; hint: string }) => {
      assert.equal(error.code, "ERR_INSTALL");
      assert.match(error.hint, new RegExp(hint));
      return true;
    });
  }
});

test("tells a registry that does not answer from a lockfile that does not fit", async (t) => {
  const root = await checkout(t, { "f/package.json": MANIFEST });
  const { registry, options, installer } = await openFor(t, root);
  await writeFile(join(root, "f/package-lock.json"), npmLock(registry.integrity));
  const environment = { ...registry.env, npm_config_fetch_retries: "0" };
  const deaf = openInstaller({ ...options, registry: "http://127.0.0.1:1/", environment });
  await assert.rejects(deaf.install("f"), { code: "ERR_INSTALL_UNREACHABLE" });
  await writeFile(join(root, "f/package.json"), JSON.stringify({ name: "f", dependencies: { a: "^2.0.0" } }));
  await assert.rejects(installer.install("f"), { code: "ERR_INSTALL" });
  assert.deepEqual(
    (await readdir(options.cacheDir)).filter((name) => name.startsWith("new-")),
    [],
  );
});

test("ends an install that nobody waits for any more", async (t) => {
  const root = await checkout(t, { "f/package.json": MANIFEST });
  const { registry, installer } = await openFor(t, root);
  await writeFile(join(root, "f/package-lock.json"), npmLock(registry.integrity));
  const controller = new AbortController();
  const reason = new Error("newer revision");
  await assert.rejects(
    installer.install("f", controller.signal, () => controller.abort(reason)),
    reason,
  );
  assert.equal((await installer.install("f")).installed, true);
});
