// Resident memory of a process group, read from /proc, or from ps where there is none.

import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Ids of the processes whose group is `group`; on systems without /proc only the leader. */
export async function membersOf(group: number): Promise<number[]> {
  const names = await readdir("/proc").catch(() => []);
  const stats = names
    .filter((name) => /^\d+$/.test(name))
    .map(async (name) => {
      const stat = await readFile(`/proc/${name}/stat`, "latin1").catch(() => "");
      // pid (name) state ppid pgrp …; the name may hold anything, also brackets.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(fields[2]) === group ? [Number(name)] : [];
    });
  const members = (await Promise.all(stats)).flat();
  return members.length > 0 ? members : [group];
}

/** Bytes of all of them together; what is gone counts nothing. */
export async function residentBytes(processes: number[], group: number): Promise<number> {
  if (process.platform !== "linux") return residentByPs(group);
  const sizes = processes.map(async (pid) => {
    const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function residentByPs(group: number): Promise<number> {
  const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-g", String(group)]).catch(() => ({ stdout: "" }));
  return stdout.split("\n").reduce((sum, line) => sum + Number(line) * 1024, 0);
}
