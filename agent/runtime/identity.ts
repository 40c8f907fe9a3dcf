// Which process a number means: a pid is re-used, a pid with its start time is not. Reads /proc, or asks `ps` where
// there is none; never changes anything but by `killGroup`.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export interface Identity {
  pid: number;
  /** Opaque; equal only for the same process, also over a restart of the machine. */
  start: string;
}

/** The identity of a running process; undefined when there is none, or only its zombie. */
export function identityOf(pid: number): Identity | undefined {
  const start = process.platform === "linux" ? startOnLinux(pid) : startByPs(pid);
  return start === undefined ? undefined : { pid, start };
}

export function isRunning(identity: Identity): boolean {
  return identityOf(identity.pid)?.start === identity.start;
}

/** Bytes of memory that the process occupies; undefined when it is gone or cannot be asked. */
export function residentBytes(pid: number): number | undefined {
  if (process.platform === "linux") {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readProc(`${pid}/status`) ?? "")?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  }
  const kilobytes = Number(ps("rss=", pid));
  return kilobytes > 0 ? kilobytes * 1024 : undefined;
}

/** Milliseconds of CPU that the process has used, in steps of 10; undefined where that cannot be told cheaply. */
export function cpuMilliseconds(pid: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  const fields = statFields(pid);
  return fields && (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Processes of this user that were started with the variable in their environment. Linux only; elsewhere none. */
export function findByEnvironment(name: string, value: string): Identity[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => readProc(`${pid}/environ`)?.split("\0").includes(`${name}=${value}`))
    .flatMap((pid) => identityOf(Number(pid)) ?? []);
}

/** Ends a process group by SIGKILL and waits until its leader is gone; a stranger with the same pid is left alone. */
export async function killGroup(identity: Identity): Promise<void> {
  if (!isRunning(identity)) return;
  signalGroup(identity.pid, "SIGKILL");
  while (isRunning(identity)) await delay(5);
}

/** Signals a process group; one that is gone is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function startOnLinux(pid: number): string | undefined {
  const fields = statFields(pid);
  if (!fields || fields[0] === "Z" || fields[0] === "X") return undefined;
  return `${readProc("sys/kernel/random/boot_id")?.trim()}:${fields[19]}`;
}

/** Fields of /proc/<pid>/stat from the third (state) on: the second may itself contain blanks and brackets. */
function statFields(pid: number): string[] | undefined {
  const stat = readProc(`${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, "latin1");
  } catch {
    return undefined;
  }
}

function startByPs(pid: number): string | undefined {
  const [state, ...start] = ps("stat=,lstart=", pid).trim().split(/\s+/);
  return !state || state.startsWith("Z") ? undefined : start.join(" ");
}

function ps(columns: string, pid: number): string {
  try {
    return execFileSync("ps", ["-o", columns, "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return "";
  }
}
