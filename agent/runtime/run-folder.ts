// Where sockets and the notes about running processes lie: a folder only this user can enter, with a path short enough
// for a unix socket.
import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WrkstError } from "../errors.js";

/** Linux takes 107 bytes and macOS 103; the longest of our socket names has 16. */
const MAX_FOLDER = 103 - 17;

/** Notes about the processes of this data folder. */
export const recordFolder = (dataDir: string): string => join(dataDir, "run");

/**
 * Creates and returns the folder for unix sockets: `run` in the data folder, or, where that path is too long, one under
 * the temp folder that depends on nothing but the data folder.
 * @throws ERR_CONFIG when the folder belongs to somebody else or others may enter it.
 */
export async function openRunFolder(dataDir: string, options: { temp?: string } = {}): Promise<string> {
  await mkdir(recordFolder(dataDir), { recursive: true, mode: 0o700 });
  await chmod(recordFolder(dataDir), 0o700);
  const near = join(await realpath(dataDir), "run");
  if (Buffer.byteLength(near) <= MAX_FOLDER) return near;
  const digest = createHash("sha256").update(near).digest("hex").slice(0, 16);
  const far = join(options.temp ?? tmpdir(), `wrkst-${digest}`);
  await mkdir(far, { recursive: true, mode: 0o700 });
  const found = await lstat(far);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || found.mode & 0o077) {
    throw new WrkstError("ERR_CONFIG", `folder "${far}" for sockets is not this user's alone`, {
      hint: `remove "${far}", or set DATA_DIR to a path of at most ${MAX_FOLDER - 4} bytes`,
    });
  }
  return far;
}

/** Sockets of the process for suspects of that number. */
export function wardSockets(folder: string, ward: number): { requests: string; control: string } {
  return { requests: join(folder, `ward-${ward}.sock`), control: join(folder, `ward-${ward}-c.sock`) };
}

/** Socket on which the serving process answers the wards' calls to databases. */
export function databaseSocket(folder: string): string {
  return join(folder, "d1.sock");
}

/** Removes the sockets that processes of an earlier run left behind; none may be in use. */
export async function removeSockets(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(
    names.filter((name) => name.endsWith(".sock")).map((name) => rm(join(folder, name), { force: true })),
  );
}
