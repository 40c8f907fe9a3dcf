// Where checkouts and installed packages lie: a folder only this user can enter, none of whose parents module resolution
// would look into. DATA_DIR often lies inside a project (this one, by default), whose packages must never be found.
import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseWorkRoot } from "./bundle/confine.js";
import { WrkstError } from "./errors.js";

/**
 * Creates and returns the folder: `work` in the data folder, or one under the temp folder that depends on the data
 * folder only. What lies in it can be made again.
 * @throws WrkstError ERR_CONFIG when there is none, or it is not this user's alone.
 */
export async function openWorkFolder(dataDir: string, temp: string = tmpdir()): Promise<string> {
  const digest = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  const folder = chooseWorkRoot([join(dataDir, "work"), join(temp, `wrkst-work-${digest}`)]);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || found.mode & 0o077) {
    throw new WrkstError("ERR_CONFIG", `folder "${folder}" for builds is not this user's alone`, {
      hint: `remove "${folder}", or set TMPDIR to a folder of your own`,
    });
  }
  return folder;
}
