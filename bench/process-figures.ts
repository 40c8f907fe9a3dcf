// What the kernel says of a process: processor time and memory. Linux only, from /proc.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Seconds of processor time, user and system, of the process and of its children that have ended. */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid);
  const [user, system, childUser, childSystem] = [11, 12, 13, 14].map((index) => Number(fields[index]));
  return ((user ?? 0) + (system ?? 0) + (childUser ?? 0) + (childSystem ?? 0)) / TICKS_PER_SECOND;
}

/** The same of the process and all that it started, as far as it runs. Tells of the work where others have the cores too. */
export function cpuSecondsOfTree(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + cpuSecondsWhileThere(child), cpuSeconds(pid));
}

/** A process that ends meanwhile is counted by its parent the next time. */
function cpuSecondsWhileThere(pid: number): number {
  try {
    return cpuSecondsOfTree(pid);
  } catch {
    return 0;
  }
}

/** Megabytes (2^20) of resident memory. */
export function residentMegabytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) / 1024;
}

/** Descriptors, and those of them that lead to databases, journals included. */
export function openFiles(pid: number): { all: number; databases: number } {
  const folder = `/proc/${pid}/fd`;
  const paths = readdirSync(folder).map((descriptor) => linkOf(`${folder}/${descriptor}`));
  return { all: paths.length, databases: paths.filter((path) => /[0-9a-f]{64}\.sqlite/.test(path)).length };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Processes that the process has started itself and that still run. */
export function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(statOf(pid)[1]);
  } catch {
    return undefined;
  }
}

/** The fields after the name of the program, which may hold anything: state, parent, and so on. */
function statOf(pid: number): string[] {
  const line = readFileSync(`/proc/${pid}/stat`, "utf8");
  return line.slice(line.lastIndexOf(")") + 2).split(" ");
}
