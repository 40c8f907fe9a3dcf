// Removes what a killed git left behind, so that nobody waits for ever for a process that is gone. Touches lock and temporary files only.

import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

const TOP_LEVEL = /^(?:HEAD|config|packed-refs|shallow|gc\.pid|FETCH_HEAD)(?:\.lock)?$/;

/**
 * Removes locks and half-received packs and objects that were last touched before `before` (milliseconds since 1970). The caller knows
 * that no git that could hold them is at work since then.
 */
export async function removeStaleLocks(gitDir: string, before: number): Promise<void> {
  const top = await names(gitDir);
  const refs = await names(join(gitDir, "refs"), true);
  const objects = await names(join(gitDir, "objects"));
  const packs = await names(join(gitDir, "objects", "pack"));
  const loose = await Promise.all(
    objects
      .filter((name) => /^[0-9a-f]{2}$/.test(name))
      .map(async (name) => (await names(join(gitDir, "objects", name))).map((file) => join("objects", name, file))),
  );
  const stale = [
    ...top.filter((name) => TOP_LEVEL.test(name) && (name.endsWith(".lock") || name === "gc.pid")),
    ...refs.filter((name) => name.endsWith(".lock")).map((name) => join("refs", name)),
    ...objects
      .filter((name) => /^(?:tmp_objdir-)?incoming-|^tmp_objdir-/.test(name))
      .map((name) => join("objects", name)),
    ...loose.flat().filter((path) => /\/tmp_obj_\w+$/.test(path)),
    ...packs.filter((name) => /^(?:tmp_|\.tmp-)|\.lock$/.test(name)).map((name) => join("objects", "pack", name)),
  ];
  await Promise.all(stale.map((name) => removeIfOlder(join(gitDir, name), before)));
}

async function names(folder: string, recursive = false): Promise<string[]> {
  return readdir(folder, { recursive }).catch(() => []);
}

async function removeIfOlder(path: string, before: number): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found && found.mtimeMs < before) await rm(path, { recursive: true, force: true });
}
