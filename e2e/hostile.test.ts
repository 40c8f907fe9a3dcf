// C1, C4: what a hostile repository may hold. Each of it is refused by name, nothing is read or written outside, and neighbours go on.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { createRepository, functionFiles, startAgent, type TestAgent, type TestRepository } from "./harness.js";

const run = promisify(execFile);
const SECRET = "the-secret-of-the-host";

let root: string;
let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "wrkst-hostile-"));
  for (const folder of ["data", "home", "tmp"]) await mkdir(join(root, folder));
  await writeFile(join(root, "secret.txt"), SECRET);
  await writeFile(join(root, "outside.json"), JSON.stringify({ compilerOptions: { jsxFactory: SECRET } }));
  const env = { HOME: join(root, "home"), TMPDIR: join(root, "tmp") };
  [agent, repository] = await Promise.all([startAgent({ dataDir: join(root, "data"), env }), createRepository()]);
});
after(async () => {
  await agent?.stop();
  await Promise.all([repository?.remove(), rm(root, { recursive: true, force: true })]);
});

async function served(name: string): Promise<string> {
  return (await agent.request(name)).text;
}

/** Writes an object that git's own commands would not make. */
async function object(type: string, content: string | Uint8Array): Promise<string> {
  const child = spawn("git", ["hash-object", "--literally", "-w", "-t", type, "--stdin"], { cwd: repository.dir });
  const chunks: string[] = [];
  child.stdout.on("data", (chunk) => chunks.push(String(chunk)));
  child.stdin.end(content);
  await once(child, "close");
  return chunks.join("").trim();
}

interface Entry {
  mode: string;
  name: string | Uint8Array;
  id: string;
}

/** A tree with any names and modes. */
function tree(entries: Entry[]): Promise<string> {
  const parts = entries.map(({ mode, name, id }) =>
    Buffer.concat([Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(id, "hex")]),
  );
  return object("tree", Buffer.concat(parts));
}

/** Adds entries to the index that no work tree could hold, and commits. */
async function commitEntries(entries: { mode: string; id: string; path: string }[]): Promise<void> {
  for (const { mode, id, path } of entries) {
    await repository.git("update-index", "--add", "--cacheinfo", `${mode},${id},${path}`);
  }
  await repository.git("commit", "--quiet", "--message", "crafted");
}

/** All that lies outside the data folder, with contents. */
async function outside(): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.startsWith(agent.dataDir));
  const contents = files.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    return `${path.slice(root.length)}: ${await readFile(path, "utf8")}`;
  });
  return (await Promise.all(contents)).sort();
}

const toml = (name: string, more = "") =>
  `name = "${name}"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n${more}`;
const module_ = (imports: string, answer = '"x"') =>
  `${imports}\nexport default { fetch: () => new Response(String(${answer})) };\n`;
const RULES = '[[rules]]\ntype = "Text"\nglobs = ["**/passwd", "**/*.txt"]\n';

test("crafted entries are refused by name, one function each, and the others of the commit are served", async () => {
  const names = ["linked", "module", "pointer", "huge", "control", "wranglerlink"];
  await repository.commit(
    Object.assign({}, ...names.map((name) => functionFiles(name, name)), functionFiles("good", "1")),
  );
  const link = await object("blob", "/etc/passwd");
  const pointer = await object(
    "blob",
    `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 5\n`,
  );
  const huge = await object("blob", Buffer.alloc(26 * 2 ** 20));
  const small = await object("blob", "x");
  await repository.git("rm", "--quiet", "--cached", "wranglerlink/index.ts");
  await commitEntries([
    { mode: "120000", id: link, path: "linked/passwd" },
    { mode: "160000", id: "1".repeat(40), path: "module/vendor" },
    { mode: "100644", id: pointer, path: "pointer/index.ts" },
    { mode: "100644", id: huge, path: "huge/model.bin" },
    { mode: "100644", id: small, path: "control/a\u001bb" },
    { mode: "120000", id: link, path: "wranglerlink/index.ts" },
  ]);
  const before = await outside();
  const { ok, output } = await repository.push(agent);
  assert.ok(ok, output);
  const refusals: [string, RegExp][] = [
    ["linked", /linked\/passwd.*symbolic link/],
    ["module", /module\/vendor.*submodule/],
    ["pointer", /pointer\/index\.ts.*Git LFS/],
    ["huge", /huge\/model\.bin.*bytes/],
    ["control", /control\/a.*control character/],
    ["wranglerlink", /wranglerlink\/index\.ts.*symbolic link/],
  ];
  for (const [name, says] of refusals) {
    assert.match(output, new RegExp(`failed\\s+${name}\\s`));
    assert.match(output, says);
    const status = await agent.functionStatus(name);
    assert.deepEqual([status.state, status.error?.code], ["failed", "ERR_TREE_REFUSED"], name);
  }
  assert.equal(output.includes("\u001b"), false);
  assert.match(output, /created\s+good/);
  assert.equal(await served("good"), "1");
  assert.deepEqual(await outside(), before);
  await repository.git("reset", "--quiet", "--hard");
  await repository.commit(Object.fromEntries(names.map((name) => [name, null])));
  await repository.push(agent, "--force", "HEAD:main");
});

const NAMES: { name: string | Uint8Array; mode: string }[] = [
  { name: "..", mode: "40000" },
  { name: ".", mode: "40000" },
  { name: ".git", mode: "40000" },
  { name: ".GiT", mode: "40000" },
  { name: "git~1", mode: "40000" },
  { name: "a/b", mode: "100644" },
  { name: "", mode: "100644" },
];

for (const { name, mode } of NAMES) {
  test(`a tree with an entry named ${JSON.stringify(String(name))} is refused, by the push or by name, and nothing else changes`, async () => {
    const blob = await object("blob", "owned");
    const inner = await tree([{ mode: "100644", name: "config", id: blob }]);
    const head = await repository.git("rev-parse", "HEAD");
    const files = await Promise.all(
      Object.entries(functionFiles("good", "1")).map(async ([path, text]): Promise<Entry> => {
        return { mode: "100644", name: path.split("/")[1]!, id: await object("blob", text) };
      }),
    );
    const crafted = { mode, name, id: mode === "40000" ? inner : blob };
    const folder = await tree([crafted, ...files.sort((a, b) => (a.name < b.name ? -1 : 1))]);
    const top = await tree([{ mode: "40000", name: "good", id: folder }]);
    const commit = await repository.git("commit-tree", top, "-p", head, "-m", "crafted");
    const before = await outside();
    const { ok, output } = await repository.push(agent, `${commit}:main`);
    if (ok) assert.match(output, /failed\s+good\s.*refused/);
    assert.equal(await served("good"), "1");
    assert.deepEqual(await outside(), before);
    const base = join(agent.dataDir, "git/functions.git");
    await run("git", ["-C", base, "update-ref", "refs/heads/main", head]);
    await agent.api("/api/v1/sources/default/sync?wait=true", { method: "POST" });
    assert.equal((await agent.functionStatus("good")).state, "ready");
  });
}

test("bundles that reach for files of the host, code that wants to run, and bundles without measure are refused by name", async () => {
  const up = "../".repeat(30);
  const megabytes = "x".repeat(20 * 2 ** 20);
  const bombs: Record<string, Record<string, string>> = {
    absolute: { "wrangler.toml": toml("absolute", RULES), "index.ts": module_('import t from "/etc/passwd";', "t") },
    climbing: {
      "wrangler.toml": toml("climbing", RULES),
      "index.ts": module_(`import t from "${up}etc/passwd";`, "t"),
    },
    secret: {
      "wrangler.toml": toml("secret", RULES),
      "index.ts": module_('import t from "../../../../../secret.txt";', "t"),
    },
    mapped: {
      "wrangler.toml": toml("mapped", RULES),
      "package.json": JSON.stringify({ browser: { "./x.txt": "/etc/passwd" }, imports: { "#t": "/etc/passwd" } }),
      "index.ts": module_('import t from "#t";', "t"),
    },
    extending: {
      "wrangler.toml": toml("extending"),
      "tsconfig.json": JSON.stringify({ extends: "../../../../../outside.json" }),
      "index.ts": module_(""),
    },
    aliased: {
      "wrangler.toml": toml("aliased", `${RULES}[alias]\n"y" = "/etc/passwd"\n`),
      "index.ts": module_('import t from "y";', "t"),
    },
    building: {
      "wrangler.toml": toml("building", `[build]\ncommand = "touch ${root}/built"\n`),
      "index.ts": module_(""),
    },
    giant: {
      "wrangler.toml": toml("giant", RULES),
      ...Object.fromEntries([1, 2, 3, 4, 5].map((number) => [`${number}.txt`, megabytes])),
      "index.ts": module_(
        [1, 2, 3, 4, 5].map((number) => `import t${number} from "./${number}.txt";`).join("\n"),
        "[t1, t2, t3, t4, t5].join().length",
      ),
    },
    outsidemain: { "wrangler.toml": toml("outsidemain").replace("index.ts", `${up}etc/passwd`) },
  };
  const files = Object.entries(bombs).flatMap(([name, own]) =>
    Object.entries(own).map(([path, text]) => [`${name}/${path}`, text] as const),
  );
  await repository.commit({ ...Object.fromEntries(files), ...functionFiles("good", "2") });
  const before = await outside();
  const { output } = await repository.push(agent, "--force", "HEAD:main");
  for (const name of Object.keys(bombs)) {
    assert.match(output, new RegExp(`failed\\s+${name}\\s`), output);
    const { error } = await agent.functionStatus(name);
    assert.match(error?.code ?? "", /^ERR_(BUNDLE|BUNDLE_LIMIT|MANIFEST)$/, `${name}: ${JSON.stringify(error)}`);
  }
  assert.doesNotMatch(output, /root:x:|the-secret-of-the-host/);
  assert.equal(await served("good"), "2");
  assert.deepEqual(await outside(), before);
  await repository.commit(Object.fromEntries(Object.keys(bombs).map((name) => [name, null])));
  await repository.push(agent);
});

test("a plugin, scripts and a git dependency of a package.json are not run", async () => {
  const script = `touch ${root}/ran`;
  const lock = {
    name: "hooked",
    lockfileVersion: 3,
    packages: {
      "": { name: "hooked", dependencies: { evil: "git+https://example.com/evil.git" } },
      "node_modules/evil": { version: "1.0.0", resolved: `git+https://example.com/evil.git#${"a".repeat(40)}` },
    },
  };
  await repository.commit({
    "hooked/wrangler.toml": toml("hooked"),
    "hooked/index.ts": module_('import "evil";'),
    "hooked/package-lock.json": JSON.stringify(lock),
    "hooked/.npmrc": `script-shell=/bin/sh\n//example.com/:_authToken=x\n`,
    "hooked/package.json": JSON.stringify({
      name: "hooked",
      dependencies: { evil: "git+https://example.com/evil.git" },
      scripts: { preinstall: script, install: script, postinstall: script, prepare: script, build: script },
    }),
    "plugged/wrangler.toml": toml("plugged"),
    "plugged/index.ts": module_(""),
    "plugged/plugin.cjs": `require("fs").writeFileSync(${JSON.stringify(join(root, "ran"))}, "");`,
    "plugged/.pnpmfile.cjs": `require("fs").writeFileSync(${JSON.stringify(join(root, "ran"))}, "");`,
    "plugged/package.json": JSON.stringify({
      name: "plugged",
      esbuild: { plugins: ["./plugin.cjs"] },
      scripts: { preinstall: script, prepare: script },
    }),
    ...functionFiles("good", "3"),
  });
  const before = await outside();
  const { output } = await repository.push(agent);
  assert.match(output, /failed\s+hooked\s.*evil/);
  assert.match(output, /created\s+plugged/);
  assert.equal(await served("good"), "3");
  assert.deepEqual(await outside(), before);
});

test("2,000 nested folders are refused for the function that holds them, and cost the others nothing", async () => {
  const path = `deep/${"d/".repeat(2_000)}file`;
  const head = await repository.git("rev-parse", "HEAD");
  const inputs = Object.entries(functionFiles("deep", "deep")).map(([name, text]) => {
    return `M 100644 inline ${name}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  });
  const child = spawn("git", ["fast-import", "--quiet"], { cwd: repository.dir });
  child.stdin.end(
    `commit refs/heads/nested\ncommitter T <t@example.com> 0 +0000\ndata 4\ndeep\nfrom ${head}\n${inputs.join("")}` +
      `M 100644 inline ${path}\ndata 1\nx\n\n`,
  );
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  const { ok, output } = await repository.push(agent, "nested:main");
  assert.ok(ok, output);
  assert.match(output, /failed\s+deep\s.*deeper than/);
  assert.equal((await agent.functionStatus("deep")).error?.code, "ERR_TREE_REFUSED");
  assert.equal(await served("good"), "3");
});
