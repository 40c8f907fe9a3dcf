// The pool of build processes: limits, cancelling, and that nothing is left behind. Covers SECURITY C4.

import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type BundlerOptions, openBundler } from "./bundler.js";
import { membersOf } from "./process-memory.js";
import { checkout, type Files, manifestOf, textOf } from "./testing.js";

const open = (t: TestContext, options: BundlerOptions) => {
  const bundler = openBundler(options);
  t.after(() => bundler.close());
  return bundler;
};

/** Functions `f0` … of one line each. */
function small(count: number): Files {
  const numbers = Array.from({ length: count }, (_, i) => i);
  return Object.fromEntries(numbers.map((i) => [`f${i}/index.ts`, `export default { x: ${i} as number };`]));
}

/** Keeps esbuild busy: a pattern of imports that matches a great many files, each with much to parse. */
function heavy(): Files {
  const body = `export const x = [${"[1,2,{a:'b'}],".repeat(60_000)}];`;
  const files = Array.from({ length: 40 }, (_, i) => [`heavy/p/${i}.js`, body]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the function's own template string.
  return { ...Object.fromEntries(files), "heavy/index.ts": "export default { x: (n) => import(`./p/${n}.js`) };" };
}

test("builds many functions at once and in any order", async (t) => {
  const root = await checkout(t, small(40));
  const bundler = open(t, { processes: 2 });
  const builds = Array.from({ length: 40 }, (_, i) =>
    bundler.bundle({ root, folder: `f${i}`, manifest: manifestOf() }),
  );
  for (const [i, bundle] of (await Promise.all(builds)).entries())
    assert.match(textOf(bundle), new RegExp(`x: ${i}\\b`));
});

for (const [what, limits] of Object.entries({
  time: { milliseconds: 150 },
  memory: { memoryBytes: 140 * 1024 ** 2 },
})) {
  test(`ends a build that takes too much ${what} and harms no other [C4]`, async (t) => {
    const root = await checkout(t, { ...small(8), ...heavy() });
    const bundler = open(t, { processes: 1, limits, sampleInterval: 5 });
    // A process starts within the time limit of nobody: it is warm before.
    await bundler.bundle({ root, folder: "f0", manifest: manifestOf() }).catch(() => {});
    const greedy = bundler.bundle({ root, folder: "heavy", manifest: manifestOf() });
    const others = Array.from({ length: 8 }, (_, i) =>
      bundler.bundle({ root, folder: `f${i}`, manifest: manifestOf() }),
    );
    await assert.rejects(greedy, { code: "ERR_BUNDLE_LIMIT" });
    if (what === "memory") assert.equal((await Promise.all(others)).length, 8);
    else await Promise.allSettled(others);
  });
}

test("gives a build up when its signal aborts, whether it waits or runs", async (t) => {
  const root = await checkout(t, { ...small(2), ...heavy() });
  const bundler = open(t, { processes: 1 });
  const controller = new AbortController();
  const running = bundler.bundle({ root, folder: "heavy", manifest: manifestOf() }, controller.signal);
  const waiting = bundler.bundle({ root, folder: "f0", manifest: manifestOf() }, controller.signal);
  const other = bundler.bundle({ root, folder: "f1", manifest: manifestOf() });
  const reason = new Error("newer revision");
  controller.abort(reason);
  await assert.rejects(running, reason);
  await assert.rejects(waiting, reason);
  assert.match(textOf(await other), /x: 1/);
  await assert.rejects(bundler.bundle({ root, folder: "f1", manifest: manifestOf() }, controller.signal), reason);
});

test("leaves no process behind when it is closed", async (t) => {
  const root = await checkout(t, { ...small(1), ...heavy() });
  const before = await groupsOf(process.pid);
  const bundler = openBundler({ processes: 2 });
  await bundler.bundle({ root, folder: "f0", manifest: manifestOf() });
  const running = bundler.bundle({ root, folder: "heavy", manifest: manifestOf() });
  const started = (await groupsOf(process.pid)).filter((group) => !before.includes(group));
  const ended = assert.rejects(running);
  await bundler.close();
  await ended;
  for (const group of started) await gone(group);
});

test("its processes end when the agent is killed", async (t) => {
  const root = await checkout(t, { ...small(1), ...heavy() });
  const script = join(root, "agent.mjs");
  const module = pathToFileURL(join(import.meta.dirname, "bundler.js")).href;
  const manifest = JSON.stringify(manifestOf());
  await writeFile(
    script,
    `import { openBundler } from ${JSON.stringify(module)};
const bundler = openBundler({ processes: 2 });
const build = (folder) => bundler.bundle({ root: ${JSON.stringify(root)}, folder, manifest: ${manifest} });
await build("f0");
build("heavy").catch(() => {});
process.send("building");`,
  );
  const agent = fork(script, { execArgv: [] });
  await message(agent);
  const groups = await groupsOf(agent.pid!);
  assert(groups.length > 0);
  agent.kill("SIGKILL");
  for (const group of groups) await gone(group);
});

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => child.once("message", resolve).once("exit", reject));
}

/** Process groups led by children of a process. */
async function groupsOf(parent: number): Promise<number[]> {
  const { readdir, readFile } = await import("node:fs/promises");
  const names = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(names.map((name) => readFile(`/proc/${name}/stat`, "latin1").catch(() => "")));
  return stats
    .map((stat) => ({ pid: Number.parseInt(stat, 10), rest: stat.slice(stat.lastIndexOf(")") + 2).split(" ") }))
    .filter(({ pid, rest }) => Number(rest[1]) === parent && Number(rest[2]) === pid && rest[0] !== "Z")
    .map(({ pid }) => pid);
}

/** Resolves when no process of the group is alive. */
async function gone(group: number): Promise<void> {
  const { readFile } = await import("node:fs/promises");
  for (;;) {
    const stats = await Promise.all(
      (await membersOf(group)).map((pid) => readFile(`/proc/${pid}/stat`, "latin1").catch(() => "")),
    );
    if (stats.every((stat) => stat === "" || / Z /.test(stat.slice(stat.lastIndexOf(")"))))) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
