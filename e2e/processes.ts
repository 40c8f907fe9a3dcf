// Agents that are started to fail, and what of them is left on the machine. Reads /proc; ends nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";

const MAIN = new URL("../agent/main.js", import.meta.url).pathname;

export interface FailedStart {
  code: number | null;
  output: string;
}

/** Starts an agent that is expected to end by itself, and waits for that. One that goes on is ended: its code is null. */
export async function startToFail(env: Record<string, string>): Promise<FailedStart> {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, ["--enable-source-maps", MAIN], {
    env: { PATH, HOME, HOST: "127.0.0.1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(String(chunk)));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output: chunks.join("") };
}

export interface RunningProcess {
  pid: number;
  command: string;
}

/** Processes that were started for the data folder: it stands in their command line, working folder or environment. */
export async function processesOf(dataDir: string): Promise<RunningProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      if (pid === process.pid) return [];
      const read = (name: string) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "");
      const [command, environment, stat] = await Promise.all([read("cmdline"), read("environ"), read("stat")]);
      const isZombie = /\) Z /.test(stat);
      return !isZombie && `${command}\0${environment}`.includes(dataDir) ? [{ pid, command: words(command) }] : [];
    }),
  );
  return found.flat();
}

/** The process and all that it started, and they started. */
export async function treeOf(root: number): Promise<RunningProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const all = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      const parent = Number(/\) \S (\d+)/.exec(stat)?.[1]);
      return { pid, parent, command: words(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")) };
    }),
  );
  const below = (parent: number): typeof all =>
    all.filter((entry) => entry.parent === parent).flatMap((entry) => [entry, ...below(entry.pid)]);
  return below(root).map(({ pid, command }) => ({ pid, command }));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function words(command: string): string {
  return command.replaceAll("\0", " ").trim().slice(0, 200);
}
