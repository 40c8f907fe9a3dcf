import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { configFolder, openConfigFile } from "./config-file.js";

for (const [system, env, expected] of [
  ["linux", {}, "/home/ada/.config/wrkst"],
  ["linux", { XDG_CONFIG_HOME: "/etc/ada" }, "/etc/ada/wrkst"],
  ["linux", { XDG_CONFIG_HOME: "relative" }, "/home/ada/.config/wrkst"],
  ["darwin", {}, "/home/ada/Library/Application Support/wrkst"],
  ["darwin", { XDG_CONFIG_HOME: "/etc/ada" }, "/etc/ada/wrkst"],
  ["win32", { APPDATA: "/data" }, "/data/wrkst"],
] as [NodeJS.Platform, Record<string, string>, string][]) {
  test(`keeps its file in ${expected} on ${system} with ${JSON.stringify(env)}`, () => {
    assert.equal(configFolder({ system, env, home: "/home/ada" }), expected);
  });
}

async function open(t: TestContext) {
  const home = await mkdtemp(join(tmpdir(), "wrkst-config-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  return openConfigFile({ home, system: "linux", env: {} });
}

test("reads nothing where nothing was written, and makes no folder", async (t) => {
  const file = await open(t);
  assert.deepEqual(file.read(), { servers: {} });
  await assert.rejects(stat(dirname(file.path)), /ENOENT/);
});

test("loses no change of several that happen at once, and leaves nothing beside the file", async (t) => {
  const file = await open(t);
  const names = Array.from({ length: 20 }, (_, index) => `http://server-${index}`);
  await Promise.all(
    names.map((name) =>
      file.update((config) => {
        config.servers[name] = { account: name };
      }),
    ),
  );
  assert.deepEqual(Object.keys(file.read().servers).sort(), names.sort());
  assert.deepEqual(await readdir(dirname(file.path)), ["config.json"]);
});

test("changes nothing when a change fails, and lets the next one go on", async (t) => {
  const file = await open(t);
  await file.update((config) => {
    config.url = "http://one";
  });
  const failing = file.update((config) => {
    config.url = "http://two";
    throw new Error("no");
  });
  await assert.rejects(failing, /no/);
  assert.equal(file.read().url, "http://one");
  await file.update(() => undefined);
});

test("takes over from a process that died with the lock, and with half a file", async (t) => {
  const file = await open(t);
  await mkdir(dirname(file.path), { recursive: true });
  await writeFile(`${file.path}.lock`, "");
  await writeFile(`${file.path}.new`, '{"url": "http://ha');
  await utimes(`${file.path}.lock`, new Date(0), new Date(0));
  await file.update((config) => {
    config.url = "http://whole";
  });
  assert.equal(JSON.parse(await readFile(file.path, "utf8")).url, "http://whole");
});

test("does not overwrite a file that it cannot read", async (t) => {
  const file = await open(t);
  await mkdir(dirname(file.path), { recursive: true });
  await writeFile(file.path, "{ half");
  await assert.rejects(
    file.update((config) => {
      config.url = "http://lost";
    }),
    /cannot read/,
  );
  assert.equal(await readFile(file.path, "utf8"), "{ half");
});
