import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openWorkFolder } from "./work-folder.js";

async function temporary(t: TestContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "wrkst-work-test-")));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("work lies in the data folder where nothing above it can be resolved", async (t) => {
  const data = join(await temporary(t), "data");
  assert.equal(await openWorkFolder(data), join(data, "work"));
});

test("work leaves a data folder that lies inside a project, and comes back to the same place", async (t) => {
  const [project, temp] = [await temporary(t), await temporary(t)];
  await writeFile(join(project, "package.json"), "{}");
  const first = await openWorkFolder(join(project, "data"), temp);
  assert.ok(first.startsWith(temp));
  assert.equal(await openWorkFolder(join(project, "data"), temp), first);
  assert.notEqual(await openWorkFolder(join(project, "other"), temp), first);
});

test("a folder that others may enter, or a link, is refused", async (t) => {
  const [project, temp] = [await temporary(t), await temporary(t)];
  await mkdir(join(project, "node_modules"));
  const folder = await openWorkFolder(join(project, "data"), temp);
  await chmod(folder, 0o755);
  await assert.rejects(openWorkFolder(join(project, "data"), temp), { code: "ERR_CONFIG" });
  await rm(folder, { recursive: true });
  await symlink(project, folder);
  await assert.rejects(openWorkFolder(join(project, "data"), temp), { code: "ERR_CONFIG" });
});
