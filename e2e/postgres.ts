// A PostgreSQL server of one's own, on a loopback port, for tests of functions that talk to one.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, until } from "./harness.js";

const run = promisify(execFile);
const DEBIAN = "/usr/lib/postgresql";

export interface Postgres {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  stop(): Promise<void>;
}

/** Folder of `initdb` and `postgres`, or undefined where this machine has none. */
export async function findPostgres(): Promise<string | undefined> {
  for (const version of (await namesIn(DEBIAN)).sort().reverse()) {
    const found = await namesIn(join(DEBIAN, version, "bin"));
    if (found.includes("initdb") && found.includes("postgres")) return join(DEBIAN, version, "bin");
  }
  const found = await run("which", ["initdb"]).catch(() => undefined);
  return found?.stdout.trim().replace(/\/initdb$/, "");
}

/** Starts an empty server. It refuses to run as root, so root hands it to the user `postgres`. */
export async function startPostgres(bin: string): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-pg-"));
  const owner = process.getuid?.() === 0 ? await idsOf("postgres") : undefined;
  const password = "a password";
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, password);
  if (owner) {
    await chown(folder, owner.uid, owner.gid);
    await chown(passwordFile, owner.uid, owner.gid);
  }
  await chmod(folder, 0o700);
  const options = { ...owner, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: "C" } };
  const data = join(folder, "data");
  const choices = [
    "--username=wrkst",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--no-sync",
    "--no-instructions",
  ];
  await run(join(bin, "initdb"), ["-D", data, ...choices], options);
  const port = await freePort();
  const settings = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`, "fsync=off"];
  const server = spawn(join(bin, "postgres"), ["-D", data, ...settings.flatMap((setting) => ["-c", setting])], {
    ...options,
    stdio: "ignore",
  });
  await until("PostgreSQL accepts connections", async () => {
    if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode}`);
    const target = ["-h", "127.0.0.1", "-p", String(port)];
    return run(join(bin, "pg_isready"), target).then(
      () => true,
      () => false,
    );
  });
  return { port, user: "wrkst", password, stop: () => stop(server, folder) };
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

async function stop(server: ChildProcess, folder: string): Promise<void> {
  if (server.exitCode === null) {
    const ended = once(server, "exit");
    server.kill("SIGINT");
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (flag) => Number((await run("id", [flag, user])).stdout)),
  );
  return { uid: uid!, gid: gid! };
}
